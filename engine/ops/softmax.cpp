#include "glimpse/kernels/softmax.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// An op along the last dimension whose gradient needs its result alone. The kernels are called as (device, rows, n,
/// x, y) and (device, rows, n, y, dy, dx).
template <class Forward, class Backward>
Tensor along_rows(const char* op, const Tensor& x, Forward forward, Backward backward) {
  require_floating(op, "x", x);
  check(x.rank() > 0, "{}: a scalar has no last dimension", op);
  const std::int64_t rows = x.shape().without(-1).numel(), n = x.size(-1);
  Tensor y = empty_like(x);
  on(x, [&]<class T>(auto device) { forward(device, rows, n, x.data<T>(), y.data<T>()); });
  return differentiable(op, y, {x}, [rows, n, y, backward](const Tensor& dy) {
    Tensor dx = empty_like(dy);
    on(dy, [&]<class T>(auto device) { backward(device, rows, n, y.data<T>(), dy.data<T>(), dx.data<T>()); });
    return dx;
  });
}

}  // namespace

Tensor softmax(const Tensor& x) {
  return along_rows(
      "softmax", x, [](auto... arguments) { kernels::softmax_forward(arguments...); },
      [](auto... arguments) { kernels::softmax_backward(arguments...); });
}

Tensor log_softmax(const Tensor& x) {
  return along_rows(
      "log_softmax", x, [](auto... arguments) { kernels::log_softmax_forward(arguments...); },
      [](auto... arguments) { kernels::log_softmax_backward(arguments...); });
}

}  // namespace glimpse
