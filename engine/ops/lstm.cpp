#include "glimpse/kernels/lstm.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {

std::pair<Tensor, Tensor> lstm_cell(const Tensor& gates, const Tensor& c) {
  require_same_kind("lstm_cell", gates, c);
  require_rank("lstm_cell", "gates", gates, 2, "(B,4H)");
  require_rank("lstm_cell", "c", c, 2, "(B,H)");
  const std::int64_t batch = c.size(0), hidden = c.size(1);
  check(gates.shape() == Shape{batch, 4 * hidden}, "lstm_cell: gates {} do not match c {}: ({},{}) is needed",
        gates.shape(), c.shape(), batch, 4 * hidden);
  const Tensor activated = empty_like(gates), c_next = empty_like(c), h_next = empty_like(c);
  on(gates, [&]<class T>(auto device) {
    kernels::lstm_forward<T>(device, {.batch = batch,
                                      .hidden = hidden,
                                      .gates = gates.data<T>(),
                                      .c = c.data<T>(),
                                      .activated = activated.data<T>(),
                                      .c_next = c_next.data<T>(),
                                      .h_next = h_next.data<T>()});
  });
  const auto backward = [=, c = c.detach()](const Gradients& dy) -> Gradients {
    const Tensor dgates = empty_like(activated), dc = empty_like(c);
    on(c, [&]<class T>(auto device) {
      kernels::lstm_backward<T>(device, {.batch = batch,
                                         .hidden = hidden,
                                         .activated = activated.data<T>(),
                                         .c = c.data<T>(),
                                         .c_next = c_next.data<T>(),
                                         .received = {.dh = dy[0].defined() ? dy[0].data<T>() : nullptr,
                                                      .dc_next = dy[1].defined() ? dy[1].data<T>() : nullptr,
                                                      .later_rows = batch},
                                         .dgates = dgates.data<T>(),
                                         .dc = dc.data<T>()});
    });
    return {dgates, dc};
  };
  const std::vector<Tensor> y = differentiable("lstm_cell", {h_next, c_next}, {gates, c}, backward);
  return {y[0], y[1]};
}

}  // namespace glimpse
