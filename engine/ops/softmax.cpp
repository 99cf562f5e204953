#include "glimpse/kernels/softmax.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// Number of rows of the last dimension; throws Error when there is none.
std::int64_t rows_of(const char* op, const Tensor& x) {
  require_floating(op, "x", x);
  check(x.rank() > 0, "{}: a scalar has no last dimension", op);
  return x.shape().without(-1).numel();
}

}  // namespace

Tensor softmax(const Tensor& x) {
  const std::int64_t rows = rows_of("softmax", x), n = x.size(-1);
  Tensor y = empty_like(x);
  on(x, [&]<class T>(auto device) { kernels::softmax_forward(device, rows, n, x.data<T>(), y.data<T>()); });
  return differentiable("softmax", y, {x}, [rows, n, y](const Tensor& dy) {
    Tensor dx = empty_like(dy);
    on(dy, [&]<class T>(auto device) {
      kernels::softmax_backward(device, rows, n, y.data<T>(), dy.data<T>(), dx.data<T>());
    });
    return dx;
  });
}

Tensor log_softmax(const Tensor& x) {
  const std::int64_t rows = rows_of("log_softmax", x), n = x.size(-1);
  Tensor y = empty_like(x);
  on(x, [&]<class T>(auto device) { kernels::log_softmax_forward(device, rows, n, x.data<T>(), y.data<T>()); });
  return differentiable("log_softmax", y, {x}, [rows, n, y](const Tensor& dy) {
    Tensor dx = empty_like(dy);
    on(dy, [&]<class T>(auto device) {
      kernels::log_softmax_backward(device, rows, n, y.data<T>(), dy.data<T>(), dx.data<T>());
    });
    return dx;
  });
}

}  // namespace glimpse
