#include "glimpse/kernels/layer_norm.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// x less its mean, divided by its deviation: (N,C,...), over C.
Tensor normalized(const Tensor& x, double eps) {
  const std::int64_t n = x.size(0), c = x.size(1), area = x.shape().without(1).without(0).numel();
  const Tensor y = empty_like(x), scale({n, area}, x.dtype(), x.device());
  on(x, [&]<class T>(auto device) {
    kernels::layer_norm_forward<T>(device, {.n = n,
                                            .c = c,
                                            .area = area,
                                            .x_stride = c * area,
                                            .y_stride = c * area,
                                            .eps = eps,
                                            .x = x.data<T>(),
                                            .weight = nullptr,
                                            .bias = nullptr,
                                            .y = y.data<T>(),
                                            .scale = scale.data<T>()});
  });
  return differentiable("layer_norm", y, {x}, [n, c, area, y, scale](const Tensor& dy) {
    Tensor dx = empty_like(dy);
    on(dy, [&]<class T>(auto device) {
      kernels::layer_norm_backward<T>(device, n, c, area, y.data<T>(), scale.data<T>(), dy.data<T>(), dx.data<T>());
    });
    return dx;
  });
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  require_floating("layer_norm", "x", x);
  check(x.rank() >= 2 && x.size(1) > 0, "layer_norm: x {} has no channels to norm, (N,C,...) is needed", x.shape());
  check(eps > 0, "layer_norm: eps {} must be positive", eps);
  for (const Tensor& parameter : {weight, bias}) {
    require_same_kind("layer_norm", x, parameter);
    check(parameter.shape() == Shape{x.size(1)}, "layer_norm: weight or bias {} does not match x {}: ({}) is needed",
          parameter.shape(), x.shape(), x.size(1));
  }
  Shape of_channels{x.size(1)};
  for (int d = 2; d < x.rank(); ++d) of_channels.push_back(1);
  return normalized(x, eps) * weight.reshape(of_channels) + bias.reshape(of_channels);
}

}  // namespace glimpse
