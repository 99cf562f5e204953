#include "glimpse/kernels/layer_norm.h"

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;
using kernels::LayerNorm;

namespace {

struct Case {
  std::int64_t n, c, area;
  std::int64_t gap = 0;  // between images
};
// Fewer channels than a block has warps, and more; places that fill no warp, and that are of several images.
const std::vector<Case> cases = {{1, 1, 1}, {2, 3, 4}, {3, 8, 33, 5}, {2, 9, 49}, {5, 31, 7, 1},
                                 {0, 3, 4}, {2, 3, 0}, {1, 200, 32},  {40, 2, 3}, {67, 17, 64}};

std::string name_of(const char* op, const Case& c) {
  return std::string(op) + " (" + std::to_string(c.n) + "," + std::to_string(c.c) + "," + std::to_string(c.area) +
         ") gap " + std::to_string(c.gap);
}

template <class T>
LayerNorm<T> shape_of(const Case& c) {
  const std::int64_t stride = c.c * c.area + c.gap;
  return {.n = c.n, .c = c.c, .area = c.area, .x_stride = stride, .y_stride = stride, .eps = 1e-6};
}

template <class T>
void check_forward(const Case& c, bool affine) {
  const std::string name = name_of("layer_norm", c);
  LayerNorm<T> s = shape_of<T>(c);
  const std::vector<T> x = draw<T>(c.n * s.x_stride, 1), weight = draw<T>(c.c, 2), bias = draw<T>(c.c, 3);
  const std::vector<double> xs = to_double(x), weights = to_double(weight), biases = to_double(bias);
  std::vector<double> y = xs, scale(static_cast<std::size_t>(c.n * c.area));
  LayerNorm<double> truth = shape_of<double>(c);
  truth.x = xs.data();
  truth.y = y.data();
  truth.scale = scale.data();
  if (affine) {
    truth.weight = weights.data();
    truth.bias = biases.data();
  }
  kernels::layer_norm_forward(Cpu{}, truth);
  std::vector<T> found_scale;
  const std::vector<T> found = repeated<T>(name, [&] {
    DeviceArray<T> in(x), w(weight), b(bias), scales(c.n * c.area);
    s.x = s.y = in.data();  // in place, so that what lies between images must stay
    s.weight = affine ? w.data() : nullptr;
    s.bias = affine ? b.data() : nullptr;
    s.scale = affine ? nullptr : scales.data();
    kernels::layer_norm_forward(Cuda{}, s);
    if (!affine) found_scale = scales.host();
    return in.host();
  });
  // One channel has no deviation: what is left of x - mean is multiplied by 1000.
  check_close(name, found, y, 64, 64);
  if (!affine) check_close(name + " scale", found_scale, scale, 1, 16);
}

template <class T>
void check_backward(const Case& c) {
  const std::string name = name_of("layer_norm backward", c);
  const std::int64_t size = c.n * c.c * c.area;
  const std::vector<T> y = draw<T>(size, 1), dy = draw<T>(size, 2), scale = draw<T>(c.n * c.area, 3);
  std::vector<double> dx(y.size());
  kernels::layer_norm_backward<double>(Cpu{}, c.n, c.c, c.area, to_double(y).data(), to_double(scale).data(),
                                       to_double(dy).data(), dx.data());
  const std::vector<T> found = repeated<T>(name, [&] {
    DeviceArray<T> in(y), scales(scale), gradient(dy);
    kernels::layer_norm_backward<T>(Cuda{}, c.n, c.c, c.area, in.data(), scales.data(), gradient.data(),
                                    gradient.data());
    return gradient.host();
  });
  check_close(name, found, dx, 64, 16);
}

}  // namespace

TEST_CASE("layer norm over channels") {
  for (const Case& c : cases)
    for (const bool affine : {false, true}) {
      check_forward<float>(c, affine);
      check_forward<double>(c, affine);
    }
}

TEST_CASE("layer norm over channels, backward") {
  for (const Case& c : cases) {
    check_backward<float>(c);
    check_backward<double>(c);
  }
}
