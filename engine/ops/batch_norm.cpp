#include "glimpse/kernels/batch_norm.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

void check_arguments(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormState& state,
                     bool train) {
  require_floating("batch_norm", "x", x);
  require_rank("batch_norm", "x", x, 4, "(N,C,H,W)");
  const Shape channels{x.size(1)};
  for (const auto& [name, t] : {std::pair<const char*, const Tensor&>{"weight", weight},
                                {"bias", bias},
                                {"running_mean", state.running_mean},
                                {"running_var", state.running_var}}) {
    require_same_kind("batch_norm", x, t);
    check(t.shape() == channels, "batch_norm: {} {} does not match x {}: {} is needed", name, t.shape(), x.shape(),
          channels);
  }
  check(!train || x.size(0) * x.size(2) * x.size(3) > 1,
        "batch_norm: x {} has fewer than two values a channel; training statistics need more", x.shape());
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormState& state, bool train,
                  double momentum, double eps) {
  check_arguments(x, weight, bias, state, train);
  const kernels::BatchNormShape shape{x.size(0), x.size(1), x.size(2) * x.size(3)};
  const Tensor mean = train ? empty_like(state.running_mean) : state.running_mean;
  const Tensor variance = train ? empty_like(state.running_var) : state.running_var;
  Tensor y = empty_like(x);
  on(x, [&]<class T>(auto device) {
    if (train) {
      kernels::batch_norm_statistics<T>(device, shape, x.data<T>(), mean.data<T>(), variance.data<T>());
      kernels::batch_norm_track<T>(device, shape, momentum, mean.data<T>(), variance.data<T>(),
                                   state.running_mean.data<T>(), state.running_var.data<T>());
    }
    kernels::batch_norm_apply<T>(device, shape,
                                 {eps, x.data<T>(), mean.data<T>(), variance.data<T>(), weight.data<T>()},
                                 bias.data<T>(), y.data<T>());
  });
  const bool need_weight = train || weight.requires_grad() || bias.requires_grad();
  const auto backward = [shape, train, eps, x = need_weight ? x.detach() : Tensor(), mean, variance,
                         weight = weight.detach(), need_x = x.requires_grad()](const Tensor& dy) -> Gradients {
    const Tensor dx = need_x ? empty_like(dy) : Tensor();
    const Tensor dweight = x.defined() ? empty_like(weight) : Tensor(),
                 dbias = x.defined() ? empty_like(weight) : Tensor();
    on(dy, [&]<class T>(auto device) {
      const auto pointer = [](const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; };
      const kernels::BatchNormInputs<T> in{eps, pointer(x), mean.data<T>(), variance.data<T>(), weight.data<T>()};
      const kernels::BatchNormGradients<T> result{pointer(dx), pointer(dweight), pointer(dbias)};
      if (train)
        kernels::batch_norm_backward<T>(device, shape, in, dy.data<T>(), result);
      else
        kernels::batch_norm_backward_frozen<T>(device, shape, in, dy.data<T>(), result);
    });
    return {dx, dweight, dbias};
  };
  return differentiable("batch_norm", y, {x, weight, bias}, backward);
}

}  // namespace glimpse
