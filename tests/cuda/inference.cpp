#include "glimpse/kernels/inference/inference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;
using kernels::ConvolutionShape;
using kernels::Nonlinearity;
using kernels::Slice;
using kernels::SliceConvolution;
using kernels::SliceShape;

namespace {

const std::vector<Nonlinearity> nonlinearities = {Nonlinearity::none, Nonlinearity::relu, Nonlinearity::relu6,
                                                  Nonlinearity::silu, Nonlinearity::gelu, Nonlinearity::sigmoid};

/// Channels of images in a larger buffer: `before` elements of other channels, then the slice.
struct Buffer {
  std::int64_t before, stride;
  std::int64_t elements(std::int64_t n) const { return n * stride; }
};

/// The elements of a slice, image by image.
template <class T>
std::vector<T> taken(const std::vector<T>& buffer, const Buffer& b, std::int64_t n, std::int64_t size) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto from = buffer.begin() + i * b.stride + b.before;
    values.insert(values.end(), from, from + size);
  }
  return values;
}

/// What `buffer` must be once its slice holds `values`.
std::vector<double> with_slice(std::vector<double> buffer, const Buffer& b, std::int64_t n,
                               const std::vector<double>& values) {
  const std::int64_t size = n ? static_cast<std::int64_t>(values.size()) / n : 0;
  for (std::int64_t i = 0; i < n; ++i)
    std::copy_n(values.begin() + i * size, size, buffer.begin() + i * b.stride + b.before);
  return buffer;
}

double nonlinear(double x, Nonlinearity f) {
  switch (f) {
    case Nonlinearity::none:
      return x;
    case Nonlinearity::relu:
      return std::isnan(x) ? x : std::max(x, 0.0);
    case Nonlinearity::relu6:
      return std::isnan(x) ? x : std::clamp(x, 0.0, 6.0);
    case Nonlinearity::silu:
      return x / (1 + std::exp(-x));
    case Nonlinearity::gelu:
      return x * std::erfc(-x / std::sqrt(2.0)) / 2;
    case Nonlinearity::sigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return x;
}

// Slices that are whole buffers and that are not, that can and cannot be read in packs; no images.
struct Case {
  SliceShape s;
  Buffer x, y;
};
const std::vector<Case> cases = {{{2, 3, 4}, {0, 12}, {0, 12}},    {{2, 3, 4}, {4, 24}, {8, 20}},
                                 {{3, 2, 49}, {49, 196}, {0, 98}}, {{2, 5, 8}, {1, 41}, {0, 40}},
                                 {{2, 5, 8}, {0, 42}, {8, 48}},    {{2, 5, 8}, {0, 40}, {2, 48}},
                                 {{2, 5, 8}, {0, 40}, {0, 49}},    {{0, 3, 4}, {0, 12}, {0, 12}},
                                 {{67, 1, 1}, {0, 1}, {0, 2}},     {{1, 33, 64}, {64, 2176}, {0, 2112}}};

std::string name_of(const char* op, const Case& c) {
  return std::string(op) + " (" + std::to_string(c.s.n) + "," + std::to_string(c.s.c) + "," + std::to_string(c.s.area) +
         ") x at " + std::to_string(c.x.before) + " of " + std::to_string(c.x.stride) + ", y at " +
         std::to_string(c.y.before) + " of " + std::to_string(c.y.stride);
}

std::vector<float> with_nan(std::int64_t n, std::uint64_t seed) {
  std::vector<float> x = draw<float>(n, seed);
  scatter(x, 11, std::numeric_limits<double>::quiet_NaN(), seed);
  return x;
}

}  // namespace

TEST_CASE("inference: scale, shift and nonlinearity on slices") {
  for (const Case& c : cases)
    for (const Nonlinearity f : nonlinearities)
      for (const bool scaled : {true, false}) {
        const std::string name = name_of("affine", c);
        const std::vector<float> x = with_nan(c.x.elements(c.s.n), 1), old = draw<float>(c.y.elements(c.s.n), 2),
                                 scale = draw<float>(c.s.c, 3), shift = draw<float>(c.s.c, 4);
        std::vector<double> truth = to_double(taken(x, c.x, c.s.n, c.s.c * c.s.area));
        for (std::size_t i = 0; i < truth.size(); ++i) {
          const std::size_t channel = i / static_cast<std::size_t>(c.s.area) % static_cast<std::size_t>(c.s.c);
          const double value = scaled ? truth[i] * scale[channel] + shift[channel] : truth[i];
          truth[i] = nonlinear(value, f);
        }
        const std::vector<float> got = repeated<float>(name, [&] {
          DeviceArray<float> in(x), out(old), factor(scale), offset(shift);
          kernels::inference_affine(Cuda{}, c.s, {in.data() + c.x.before, c.x.stride}, scaled ? factor.data() : nullptr,
                                    scaled ? offset.data() : nullptr, f, {out.data() + c.y.before, c.y.stride});
          return out.host();
        });
        check_close(name, got, with_slice(to_double(old), c.y, c.s.n, truth), 8, 2);
      }
}

TEST_CASE("inference: sums of slices, also in place") {
  for (const Case& c : cases)
    for (const Nonlinearity f : nonlinearities) {
      const std::string name = name_of("add", c);
      const std::vector<float> a = with_nan(c.x.elements(c.s.n), 1), b = draw<float>(c.y.elements(c.s.n), 2);
      std::vector<double> truth = to_double(taken(a, c.x, c.s.n, c.s.c * c.s.area));
      const std::vector<double> other = to_double(taken(b, c.y, c.s.n, c.s.c * c.s.area));
      for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = nonlinear(truth[i] + other[i], f);
      const std::vector<float> got = repeated<float>(name, [&] {
        DeviceArray<float> first(a), second(b);
        const Slice<float> y{second.data() + c.y.before, c.y.stride};
        kernels::inference_add(Cuda{}, c.s, {first.data() + c.x.before, c.x.stride}, {y.data, y.stride}, f, y);
        return second.host();
      });
      check_close(name, got, with_slice(to_double(b), c.y, c.s.n, truth), 2, 3);  // of the sum, and of the function
    }
}

TEST_CASE("inference: channels of each image times a gate of its own") {
  for (const Case& c : cases)
    for (const std::int64_t gap : {0, 3}) {
      const std::string name = name_of("multiply", c);
      const std::int64_t gates = c.s.c + gap;
      const std::vector<float> x = with_nan(c.x.elements(c.s.n), 1), old = draw<float>(c.y.elements(c.s.n), 2),
                               gate = draw<float>(c.s.n * gates, 3);
      std::vector<double> truth = to_double(taken(x, c.x, c.s.n, c.s.c * c.s.area));
      for (std::size_t i = 0; i < truth.size(); ++i) {
        const auto plane = static_cast<std::int64_t>(i) / c.s.area;
        truth[i] *= static_cast<double>(gate[plane / c.s.c * gates + plane % c.s.c]);
      }
      const std::vector<float> got = repeated<float>(name, [&] {
        DeviceArray<float> in(x), out(old), factor(gate);
        kernels::inference_multiply(Cuda{}, c.s, {in.data() + c.x.before, c.x.stride}, {factor.data(), gates},
                                    Nonlinearity::none, {out.data() + c.y.before, c.y.stride});
        return out.host();
      });
      check_close(name, got, with_slice(to_double(old), c.y, c.s.n, truth), 2, 2);
    }
}

TEST_CASE("inference: convolutions of slices, with bias, sum and nonlinearity") {
  const std::vector<ConvolutionShape> shapes = {{2, 3, 6, 5, 4, 3, 3, 1, 1},        // by patches
                                                {3, 4, 3, 3, 2, 1, 1},              // by the image itself
                                                {2, 4, 5, 5, 6, 3, 3, 2, 1, 1, 2},  // in groups
                                                {2, 3, 6, 6, 3, 3, 3, 1, 1, 1, 3},  // depthwise
                                                {0, 3, 6, 6, 3, 3, 3, 1, 1, 1, 3}};
  for (const ConvolutionShape& s : shapes)
    for (const std::int64_t gap : {0, 7})
      for (const Nonlinearity f : nonlinearities)
        for (const bool with_bias : {true, false}) {
          const std::int64_t x_size = s.c * s.h * s.w, y_size = s.o * s.out_h() * s.out_w();
          const Buffer xs{gap, x_size + 2 * gap}, ys{2 * gap, y_size + 3 * gap};
          const std::vector<float> x = draw<float>(xs.elements(s.n), 1), old = draw<float>(ys.elements(s.n), 2),
                                   bias = draw<float>(s.o, 3),
                                   weight = draw<float>(s.o * s.c / s.groups * s.kh * s.kw, 4);
          std::vector<double> product(static_cast<std::size_t>(s.n * y_size));
          kernels::convolution_forward<double>(Cpu{}, s, to_double(taken(x, xs, s.n, x_size)).data(),
                                               to_double(weight).data(), with_bias ? to_double(bias).data() : nullptr,
                                               product.data());
          for (const bool accumulate : {false, true}) {
            std::vector<double> truth = product;
            const std::vector<double> held = to_double(taken(old, ys, s.n, y_size));
            for (std::size_t i = 0; i < truth.size(); ++i)
              truth[i] = nonlinear(truth[i] + (accumulate ? held[i] : 0), f);
            const std::string name = "convolution of " + std::to_string(s.o) + "x" + std::to_string(s.kh) + " gap " +
                                     std::to_string(gap) + (accumulate ? " added" : "");
            const std::vector<float> got = repeated<float>(name, [&] {
              DeviceArray<float> in(x), out(old), w(weight), b(bias);
              kernels::inference_convolution(Cuda{}, SliceConvolution{s, xs.stride, ys.stride, accumulate},
                                             in.data() + xs.before, w.data(), with_bias ? b.data() : nullptr, f,
                                             out.data() + ys.before);
              return out.host();
            });
            check_close(name, got, with_slice(to_double(old), ys, s.n, truth), 32, 4);
          }
        }
}
