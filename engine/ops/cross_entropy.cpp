#include "glimpse/kernels/cross_entropy.h"

#include <algorithm>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/reduce.h"

namespace glimpse {

Tensor cross_entropy(const Tensor& logits, const Tensor& target, std::int32_t ignore_index, double label_smoothing) {
  require_floating("cross_entropy", "logits", logits);
  require_rank("cross_entropy", "logits", logits, 2, "(N,V)");
  require_rank("cross_entropy", "target", target, 1, "(N)");
  const std::int64_t n = logits.size(0), v = logits.size(1);
  check(target.size(0) == n, "cross_entropy: target {} does not match logits {}", target.shape(), logits.shape());
  check(label_smoothing >= 0 && label_smoothing < 1, "cross_entropy: label smoothing {} is outside [0,1)",
        label_smoothing);
  require_indices("cross_entropy", "target", target, v, ignore_index);
  const std::vector<std::int32_t> targets = target.to_vector<std::int32_t>();
  const std::int64_t counted = n - std::count(targets.begin(), targets.end(), ignore_index);
  check(counted > 0, "cross_entropy: none of the {} targets is counted", n);

  const double scale = 1 / static_cast<double>(counted);
  const Tensor log_sum_exp({n}, DType::f64, logits.device()), losses({n}, DType::f64, logits.device());
  const Tensor total({}, DType::f64, logits.device());
  const auto rows = [=](const Tensor& t) {
    return kernels::CrossEntropyTargets{t.data<std::int32_t>(), ignore_index, label_smoothing};
  };
  on(logits, [&]<class T>(auto device) {
    kernels::cross_entropy_forward(device, n, v, logits.data<T>(), rows(target), log_sum_exp.data<double>(),
                                   losses.data<double>());
    kernels::reduce_sum(device, 1, n, 1, scale, losses.data<double>(), total.data<double>());
  });
  return differentiable("cross_entropy", total.to(logits.dtype()), {logits},
                        [=, logits = logits.detach(), target = target.detach()](const Tensor& dy) {
                          Tensor dx = empty_like(logits);
                          on(logits, [&]<class T>(auto device) {
                            kernels::cross_entropy_backward<T>(device, {.n = n,
                                                                        .v = v,
                                                                        .logits = logits.data<T>(),
                                                                        .targets = rows(target),
                                                                        .log_sum_exp = log_sum_exp.data<double>(),
                                                                        .scale = scale,
                                                                        .dloss = dy.data<T>(),
                                                                        .dlogits = dx.data<T>()});
                          });
                          return dx;
                        });
}

}  // namespace glimpse
