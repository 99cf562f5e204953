#include "glimpse/kernels/convolution.h"

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;
using kernels::ConvolutionShape;

namespace {

// n, c, h, w, o, kh, kw, stride, padding, dilation, groups
const std::vector<ConvolutionShape> cases = {
    {1, 1, 1, 1, 1, 1, 1},
    {2, 3, 5, 6, 4, 1, 1},                 // the image is the matrix of patches
    {2, 3, 6, 5, 2, 1, 1, 2},              // ... but not with a stride
    {1, 2, 3, 3, 2, 1, 1, 1, 1},           // ... nor with padding
    {2, 3, 7, 6, 5, 3, 3, 1, 1},           // the most usual one
    {3, 2, 9, 8, 3, 3, 3, 2, 1},           // pixels at the edge that no window meets twice
    {1, 3, 11, 10, 2, 7, 7, 2, 3},         // a first layer
    {2, 2, 8, 9, 3, 3, 2, 1, 0, 2},        // dilated, not square
    {2, 2, 10, 10, 2, 3, 3, 3, 2, 2},      // strided, padded and dilated
    {1, 2, 8, 8, 2, 2, 2, 3},              // pixels between windows that no window meets
    {2, 4, 5, 5, 6, 3, 3, 1, 1, 1, 2},     // groups
    {1, 6, 4, 4, 3, 1, 1, 1, 0, 1, 3},     // groups without patches
    {2, 5, 6, 7, 5, 3, 3, 1, 1, 1, 5},     // depthwise
    {3, 4, 7, 6, 4, 3, 2, 2, 1, 2, 4},     // depthwise, strided and dilated
    {2, 3, 4, 4, 6, 3, 3, 1, 1, 1, 3},     // a group per channel, but two results each: not depthwise here
    {40, 2, 16, 16, 2, 3, 3, 1, 1, 1, 2},  // depthwise, a channel of more than one chunk
    {0, 2, 4, 4, 3, 3, 3, 1, 1},           // no images
    {0, 2, 4, 4, 2, 3, 3, 1, 1, 1, 2},
    {67, 1, 3, 3, 2, 2, 2},
    {2, 3, 8, 6, 4, 3, 3, 2, 0, 1, 1, 1},   // a row and column of padding more below and to the right
    {1, 4, 10, 8, 4, 5, 5, 2, 1, 1, 4, 1},  // the same, depthwise
    {1, 2, 3, 3, 2, 1, 1, 1, 0, 1, 1, 1}};  // a 1x1 that needs patches for it

std::string name_of(const char* type, const ConvolutionShape& s) {
  const auto text = [](std::int64_t v) { return std::to_string(v); };
  return std::string("convolution ") + type + " (" + text(s.n) + "," + text(s.c) + "," + text(s.h) + "," + text(s.w) +
         ") by (" + text(s.o) + "," + text(s.c / s.groups) + "," + text(s.kh) + "," + text(s.kw) + ") stride " +
         text(s.stride) + " padding " + text(s.padding) + " and " + text(s.extra_padding) + " dilation " +
         text(s.dilation) + " groups " + text(s.groups);
}

template <class F>
void for_each_case(F f) {
  for (const ConvolutionShape& s : cases) {
    f.template operator()<float>(name_of("f32", s), s);
    f.template operator()<double>(name_of("f64", s), s);
  }
}

/// All that goes in, and the truth that comes out.
template <class T>
struct Data {
  const ConvolutionShape s;
  std::vector<T> x, weight, bias, dy;
  std::vector<double> y, y_without_bias, dx, dweight, dbias;

  explicit Data(const ConvolutionShape& shape)
      : s(shape),
        x(draw<T>(s.n * s.c * s.h * s.w, 1)),
        weight(draw<T>(s.o * (s.c / s.groups) * s.kh * s.kw, 2)),
        bias(draw<T>(s.o, 3)),
        dy(draw<T>(s.n * s.o * s.out_h() * s.out_w(), 4)),
        y(dy.size()),
        y_without_bias(dy.size()),
        dx(x.size()),
        dweight(weight.size()),
        dbias(bias.size()) {
    const auto xs = to_double(x), weights = to_double(weight), biases = to_double(bias), dys = to_double(dy);
    kernels::convolution_forward<double>(Cpu{}, s, xs.data(), weights.data(), biases.data(), y.data());
    kernels::convolution_forward<double>(Cpu{}, s, xs.data(), weights.data(), nullptr, y_without_bias.data());
    kernels::convolution_backward_input(Cpu{}, s, dys.data(), weights.data(), dx.data());
    kernels::convolution_backward_weight(Cpu{}, s, xs.data(), dys.data(), dweight.data());
    kernels::convolution_backward_bias(Cpu{}, s, dys.data(), dbias.data());
  }
};

/// An error bound for sums of n products of numbers from N(0,1).
double bound(std::int64_t n) { return 8 + 2 * static_cast<double>(n); }

template <class T>
void check_forward(const std::string& name, const Data<T>& d, bool own) {
  const auto run = own ? [](const ConvolutionShape& s, const T* x, const T* weight, const T* bias,
                            T* y) { kernels::convolution_forward_own(Cuda{}, s, x, weight, bias, y); }
                       : [](const ConvolutionShape& s, const T* x, const T* weight, const T* bias, T* y) {
                           kernels::convolution_forward(Cuda{}, s, x, weight, bias, y);
                         };
  const double absolute = bound(d.s.c / d.s.groups * d.s.kh * d.s.kw);
  for (const bool with_bias : {true, false})
    check_close(name,
                repeated<T>(name,
                            [&] {
                              DeviceArray<T> x(d.x), weight(d.weight), bias(d.bias),
                                  y(static_cast<std::int64_t>(d.y.size()));
                              run(d.s, x.data(), weight.data(), with_bias ? bias.data() : nullptr, y.data());
                              return y.host();
                            }),
                with_bias ? d.y : d.y_without_bias, absolute, 4);
}

template <class T>
void check_backward_input(const std::string& name, const Data<T>& d, bool own) {
  const std::vector<T> got = repeated<T>(name, [&] {
    DeviceArray<T> dy(d.dy), weight(d.weight), dx(static_cast<std::int64_t>(d.dx.size()));
    if (own)
      kernels::convolution_backward_input_own(Cuda{}, d.s, dy.data(), weight.data(), dx.data());
    else
      kernels::convolution_backward_input(Cuda{}, d.s, dy.data(), weight.data(), dx.data());
    return dx.host();
  });
  check_close(name + " dx", got, d.dx, bound(d.s.o / d.s.groups * d.s.kh * d.s.kw), 4);
}

template <class T>
void check_backward_weight(const std::string& name, const Data<T>& d, bool own) {
  const std::vector<T> got = repeated<T>(name, [&] {
    DeviceArray<T> x(d.x), dy(d.dy), dweight(static_cast<std::int64_t>(d.dweight.size()));
    if (own)
      kernels::convolution_backward_weight_own(Cuda{}, d.s, x.data(), dy.data(), dweight.data());
    else
      kernels::convolution_backward_weight(Cuda{}, d.s, x.data(), dy.data(), dweight.data());
    return dweight.host();
  });
  check_close(name + " dweight", got, d.dweight, bound(d.s.n * d.s.out_h() * d.s.out_w()), 4);
}

}  // namespace

TEST_CASE("convolution, forward: Glimpse's own kernels, and whatever is the quickest") {
  for_each_case([]<class T>(const std::string& name, const ConvolutionShape& s) {
    const Data<T> data(s);
    check_forward(name + " own", data, true);
    check_forward(name, data, false);
  });
}

TEST_CASE("convolution, gradient of the image") {
  for_each_case([]<class T>(const std::string& name, const ConvolutionShape& s) {
    const Data<T> data(s);
    check_backward_input(name + " own", data, true);
    check_backward_input(name, data, false);
  });
}

TEST_CASE("convolution, gradient of the weight") {
  for_each_case([]<class T>(const std::string& name, const ConvolutionShape& s) {
    const Data<T> data(s);
    check_backward_weight(name + " own", data, true);
    check_backward_weight(name, data, false);
  });
}

TEST_CASE("convolution, gradient of the bias") {
  const auto check_shape = []<class T>(const std::string& name, const ConvolutionShape& s) {
    const Data<T> data(s);
    const std::vector<T> got = repeated<T>(name, [&] {
      DeviceArray<T> dy(data.dy), dbias(s.o);
      kernels::convolution_backward_bias(Cuda{}, s, dy.data(), dbias.data());
      return dbias.host();
    });
    const std::int64_t terms = s.n * s.out_h() * s.out_w();
    check_close(name + " dbias", got, data.dbias,
                16 + sum_errors<T>(terms) * largest_magnitude * static_cast<double>(terms), 2);
  };
  for_each_case(check_shape);
  const ConvolutionShape many{3, 1, 60, 60, 9, 1, 1};  // more than one chunk a channel, more channels than a block's
  check_shape.operator()<float>(name_of("f32", many), many);
}
