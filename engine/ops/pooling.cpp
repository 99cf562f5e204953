#include "glimpse/kernels/pooling.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

kernels::PoolShape checked_shape(const char* op, const Tensor& x, const PoolOptions& options) {
  require_floating(op, "x", x);
  require_rank(op, "x", x, 4, "(N,C,H,W)");
  check(options.kernel > 0 && options.stride > 0 && options.padding >= 0 && 2 * options.padding <= options.kernel,
        "{}: kernel {}, stride {}, padding {}: kernel and stride must be positive, padding from 0 to half the kernel",
        op, options.kernel, options.stride, options.padding);
  const kernels::PoolShape s{x.size(0) * x.size(1), x.size(2),       x.size(3),        options.kernel,
                             options.stride,        options.padding, options.ceil_mode};
  check(s.h + 2 * s.padding >= s.kernel && s.w + 2 * s.padding >= s.kernel,
        "{}: x {} with padding {} is smaller than the window of {}", op, x.shape(), s.padding, s.kernel);
  return s;
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const PoolOptions& options) {
  const kernels::PoolShape shape = checked_shape("max_pool2d", x, options);
  Tensor y({x.size(0), x.size(1), shape.out_h(), shape.out_w()}, x.dtype(), x.device());
  const bool keep = grad_enabled() && x.requires_grad();
  const Tensor argmax = keep ? empty(y.shape(), DType::i32, x.device()) : Tensor();
  on(x, [&]<class T>(auto device) {
    kernels::max_pool_forward<T>(device, shape, x.data<T>(), y.data<T>(), keep ? argmax.data<std::int32_t>() : nullptr);
  });
  return differentiable("max_pool2d", y, {x}, [shape, argmax, x_shape = x.shape()](const Tensor& dy) {
    Tensor dx(x_shape, dy.dtype(), dy.device());
    on(dy, [&]<class T>(auto device) {
      kernels::max_pool_backward<T>(device, shape, dy.data<T>(), argmax.data<std::int32_t>(), dx.data<T>());
    });
    return dx;
  });
}

Tensor avg_pool2d(const Tensor& x, const PoolOptions& options) {
  const kernels::PoolShape shape = checked_shape("avg_pool2d", x, options);
  Tensor y({x.size(0), x.size(1), shape.out_h(), shape.out_w()}, x.dtype(), x.device());
  on(x, [&]<class T>(auto device) { kernels::avg_pool_forward<T>(device, shape, x.data<T>(), y.data<T>()); });
  return differentiable("avg_pool2d", y, {x}, [shape, x_shape = x.shape()](const Tensor& dy) {
    Tensor dx(x_shape, dy.dtype(), dy.device());
    on(dy, [&]<class T>(auto device) { kernels::avg_pool_backward<T>(device, shape, dy.data<T>(), dx.data<T>()); });
    return dx;
  });
}

Tensor adaptive_avg_pool2d(const Tensor& x, int height, int width) {
  require_floating("adaptive_avg_pool2d", "x", x);
  require_rank("adaptive_avg_pool2d", "x", x, 4, "(N,C,H,W)");
  check(height > 0 && width > 0 && x.size(2) > 0 && x.size(3) > 0,
        "adaptive_avg_pool2d: x {} to {}x{}: no size may be 0", x.shape(), height, width);
  const kernels::AdaptivePoolShape shape{x.size(0) * x.size(1), x.size(2), x.size(3), height, width};
  Tensor y({x.size(0), x.size(1), height, width}, x.dtype(), x.device());
  on(x, [&]<class T>(auto device) { kernels::adaptive_avg_pool_forward<T>(device, shape, x.data<T>(), y.data<T>()); });
  return differentiable("adaptive_avg_pool2d", y, {x}, [shape, x_shape = x.shape()](const Tensor& dy) {
    Tensor dx(x_shape, dy.dtype(), dy.device());
    on(dy, [&]<class T>(auto device) {
      kernels::adaptive_avg_pool_backward<T>(device, shape, dy.data<T>(), dx.data<T>());
    });
    return dx;
  });
}

}  // namespace glimpse
