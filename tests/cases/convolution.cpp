#include "glimpse/kernels/convolution.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "op_case.h"

namespace glimpse::test {
namespace {

/// Sizes: images, channels, height, width, output channels, kernel, stride, padding, dilation, groups, bias (0 or 1),
/// and where there is a twelfth: extra padding.
kernels::ConvolutionShape shape_of(const Sizes& s) {
  return {s[0], s[1], s[2], s[3], s[4], s[5], s[5], s[6], s[7], s[8], s[9], s.size() > 11 ? s[11] : 0};
}

Tensors convolution_inputs(const Sizes& s, Draw& draw) {
  Tensors in{draw.normal({s[0], s[1], s[2], s[3]}), draw.normal({s[4], s[1] / s[9], s[5], s[5]})};
  if (s[10]) in.push_back(draw.normal({s[4]}));
  return in;
}

Tensors convolution_reference(const Sizes& sizes, const Tensors& in) {
  const auto s = shape_of(sizes);
  const std::int64_t per_group = s.c / s.groups;
  const Tensor y = empty({s.n, s.o, s.out_h(), s.out_w()}, DType::f64);
  std::int64_t next = 0;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t o = 0; o < s.o; ++o)
      for (std::int64_t i = 0; i < s.out_h(); ++i)
        for (std::int64_t j = 0; j < s.out_w(); ++j) {
          double sum = in.size() > 2 ? at(in[2], o) : 0;
          for (std::int64_t c = 0; c < per_group; ++c)
            for (std::int64_t k = 0; k < s.kh; ++k)
              for (std::int64_t l = 0; l < s.kw; ++l) {
                const std::int64_t row = i * s.stride - s.padding + k * s.dilation;
                const std::int64_t column = j * s.stride - s.padding + l * s.dilation;
                if (row < 0 || row >= s.h || column < 0 || column >= s.w) continue;
                const std::int64_t channel = o / (s.o / s.groups) * per_group + c;
                sum += at(in[0], ((n * s.c + channel) * s.h + row) * s.w + column) *
                       at(in[1], ((o * per_group + c) * s.kh + k) * s.kw + l);
              }
          at(y, next++) = sum;
        }
  return {y};
}

const std::vector<Sizes> convolution_sizes{
    {0, 2, 3, 3, 2, 1, 1, 0, 1, 1, 0},    // no image
    {1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1},    // one of everything
    {2, 3, 5, 4, 4, 1, 1, 0, 1, 1, 1},    // 1x1
    {2, 4, 6, 5, 3, 1, 2, 0, 1, 1, 0},    // 1x1, strided
    {2, 3, 7, 6, 5, 3, 1, 1, 1, 1, 1},    // 3x3
    {1, 3, 9, 8, 4, 3, 2, 1, 1, 1, 0},    // strided, last column unused
    {1, 2, 9, 11, 3, 3, 1, 2, 2, 1, 0},   // dilated
    {1, 2, 11, 12, 3, 3, 2, 3, 3, 1, 1},  // dilated and strided
    {1, 3, 17, 15, 6, 7, 2, 3, 1, 1, 0},  // the first layer of a ResNet
    {2, 6, 5, 6, 9, 3, 1, 1, 1, 3, 1},    // groups
    {2, 5, 7, 8, 5, 3, 1, 1, 1, 5, 1},    // depthwise
    {1, 4, 9, 9, 4, 3, 2, 1, 1, 4, 0},    // depthwise, strided
    {1, 4, 9, 10, 4, 3, 1, 2, 2, 4, 0},   // depthwise, dilated
    {1, 3, 5, 5, 6, 3, 1, 1, 1, 3, 0},    // two filters a channel
    {1, 31, 4, 4, 33, 3, 1, 1, 1, 1, 0},  // around the width of a vector
    {1, 32, 3, 3, 32, 1, 1, 0, 1, 1, 1},   {1, 33, 6, 6, 31, 3, 2, 1, 1, 1, 1},
    {1, 1000, 1, 2, 2, 1, 1, 0, 1, 1, 0},   // long sums
    {1, 2, 2, 2, 2, 3, 1, 1, 1, 1, 0},      // image smaller than the kernel
    {2, 3, 8, 6, 4, 3, 2, 0, 1, 1, 1, 1},   // TensorFlow's "same": a row more below
    {1, 4, 10, 8, 4, 5, 2, 1, 1, 4, 0, 1},  // depthwise
    {1, 2, 5, 7, 3, 2, 1, 0, 2, 1, 0, 2},   // dilated, all of it below
    {1, 2, 3, 3, 2, 1, 1, 0, 1, 1, 1, 1},   // 1x1
};

double convolution_flops(const Sizes& sizes) {
  const auto s = shape_of(sizes);
  return 2.0 * static_cast<double>(s.n * s.o * s.out_h() * s.out_w() * (s.c / s.groups) * s.kh * s.kw);
}

const OpCaseRegistrar convolution({
    .name = "conv2d",
    .sizes = convolution_sizes,
    .inputs = convolution_inputs,
    .run =
        [](const Sizes& s, const Tensors& in) {
          const Conv2dOptions options{static_cast<int>(s[6]), static_cast<int>(s[7]), static_cast<int>(s[8]),
                                      static_cast<int>(s[9]), static_cast<int>(s.size() > 11 ? s[11] : 0)};
          return Tensors{conv2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), options)};
        },
    .reference = convolution_reference,
    .absolute = 256,
    .flops = convolution_flops,
    .bench_sizes = {{32, 64, 56, 56, 64, 3, 1, 1, 1, 1, 0},
                    {32, 256, 14, 14, 1024, 1, 1, 0, 1, 1, 0},
                    {32, 3, 224, 224, 64, 7, 2, 3, 1, 1, 0},
                    {32, 384, 14, 14, 384, 3, 1, 1, 1, 384, 0}},
});

/// Glimpse's own kernels in both types: in a build with oneDNN, conv2d uses them in f64 only.
Tensor own_convolution(const Sizes& sizes, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const auto shape = shape_of(sizes);
  const Tensor y = empty({shape.n, shape.o, shape.out_h(), shape.out_w()}, x.dtype(), x.device());
  on(x, [&]<class T>(auto device) {
    kernels::convolution_forward_own<T>(device, shape, x.data<T>(), weight.data<T>(),
                                        bias.defined() ? bias.data<T>() : nullptr, y.data<T>());
  });
  return differentiable(
      "own_convolution", y, {x, weight, bias},
      [shape, x = x.detach(), weight = weight.detach(), bias = bias.detach()](const Tensor& dy) -> Gradients {
        const Tensor dx = empty_like(x), dweight = empty_like(weight);
        const Tensor dbias = bias.defined() ? empty_like(bias) : Tensor();
        on(dy, [&]<class T>(auto device) {
          kernels::convolution_backward_input_own<T>(device, shape, dy.data<T>(), weight.data<T>(), dx.data<T>());
          kernels::convolution_backward_weight_own<T>(device, shape, x.data<T>(), dy.data<T>(), dweight.data<T>());
          if (dbias.defined()) kernels::convolution_backward_bias<T>(device, shape, dy.data<T>(), dbias.data<T>());
        });
        return {dx, dweight, dbias};
      });
}

const OpCaseRegistrar own({
    .name = "conv2d_own_kernels",
    .sizes = convolution_sizes,
    .inputs = convolution_inputs,
    .run =
        [](const Sizes& s, const Tensors& in) {
          return Tensors{own_convolution(s, in[0], in[1], in.size() > 2 ? in[2] : Tensor())};
        },
    .reference = convolution_reference,
    .absolute = 256,
    .flops = convolution_flops,
    .bench_sizes = {{32, 64, 56, 56, 64, 3, 1, 1, 1, 1, 0}},
});

}  // namespace
}  // namespace glimpse::test
