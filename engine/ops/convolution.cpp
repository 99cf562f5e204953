#include "glimpse/kernels/convolution.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

kernels::ConvolutionShape checked_shape(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                        const Conv2dOptions& options) {
  require_same_kind("conv2d", x, weight);
  require_rank("conv2d", "x", x, 4, "(N,C,H,W)");
  require_rank("conv2d", "weight", weight, 4, "(O,C/groups,KH,KW)");
  check(options.stride > 0 && options.padding >= 0 && options.extra_padding >= 0 && options.dilation > 0 &&
            options.groups > 0,
        "conv2d: stride {}, padding {}, extra padding {}, dilation {}, groups {}: stride, dilation and groups must be "
        "positive, padding not negative",
        options.stride, options.padding, options.extra_padding, options.dilation, options.groups);
  const std::int64_t out = weight.size(0);
  check(x.size(1) == weight.size(1) * options.groups && out % options.groups == 0,
        "conv2d: x {} does not match weight {} with {} groups: (O,C/groups,KH,KW) is needed, O a multiple of groups",
        x.shape(), weight.shape(), options.groups);
  if (bias.defined()) {
    require_same_kind("conv2d", weight, bias);
    check(bias.shape() == Shape{out}, "conv2d: bias {} does not match weight {}: ({}) is needed", bias.shape(),
          weight.shape(), out);
  }
  const kernels::ConvolutionShape s{x.size(0),
                                    x.size(1),
                                    x.size(2),
                                    x.size(3),
                                    out,
                                    weight.size(2),
                                    weight.size(3),
                                    options.stride,
                                    options.padding,
                                    options.dilation,
                                    options.groups,
                                    options.extra_padding};
  const std::int64_t reach_h = s.dilation * (s.kh - 1) + 1, reach_w = s.dilation * (s.kw - 1) + 1;
  check(s.c > 0 && out > 0 && s.kh > 0 && s.kw > 0 && s.padded(s.h) >= reach_h && s.padded(s.w) >= reach_w,
        "conv2d: x {} with padding {} is smaller than the kernel of weight {} with dilation {} ({}x{})", x.shape(),
        s.padding, weight.shape(), s.dilation, reach_h, reach_w);
  return s;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options) {
  const kernels::ConvolutionShape shape = checked_shape(x, weight, bias, options);
  Tensor y({shape.n, shape.o, shape.out_h(), shape.out_w()}, x.dtype(), x.device());
  on(x, [&]<class T>(auto device) {
    kernels::convolution_forward<T>(device, shape, x.data<T>(), weight.data<T>(),
                                    bias.defined() ? bias.data<T>() : nullptr, y.data<T>());
  });
  const bool need_x = x.requires_grad(), need_weight = weight.requires_grad();
  const auto backward = [shape, x_shape = x.shape(), weight_shape = weight.shape(), need_bias = bias.requires_grad(),
                         x = need_weight ? x.detach() : Tensor(),
                         weight = need_x ? weight.detach() : Tensor()](const Tensor& dy) -> Gradients {
    Tensor dx, dweight, dbias;
    on(dy, [&]<class T>(auto device) {
      if (weight.defined()) {
        dx = Tensor(x_shape, dy.dtype(), dy.device());
        kernels::convolution_backward_input<T>(device, shape, dy.data<T>(), weight.data<T>(), dx.data<T>());
      }
      if (x.defined()) {
        dweight = Tensor(weight_shape, dy.dtype(), dy.device());
        kernels::convolution_backward_weight<T>(device, shape, x.data<T>(), dy.data<T>(), dweight.data<T>());
      }
      if (need_bias) {
        dbias = Tensor({shape.o}, dy.dtype(), dy.device());
        kernels::convolution_backward_bias<T>(device, shape, dy.data<T>(), dbias.data<T>());
      }
    });
    return {dx, dweight, dbias};
  };
  return differentiable("conv2d", y, {x, weight, bias}, backward);
}

}  // namespace glimpse
