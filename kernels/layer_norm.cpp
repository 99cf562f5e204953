#include "glimpse/kernels/layer_norm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

/// Places that are worked on together: sums of so many fit in registers and the first cache.
constexpr std::int64_t together = 64;
using Sums = std::array<double, together>;

/// Calls body(image, first place, places) for runs of places, shared out among the threads.
template <class Body>
void for_places(std::int64_t n, std::int64_t c, std::int64_t area, const Body& body) {
  const std::int64_t runs = (area + together - 1) / together;
  vector_for(n * runs, 1 + 16384 / (c * together + 1), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % runs * together;
      body(i / runs, first, std::min(together, area - first));
    }
  });
}

}  // namespace

template <class T>
void layer_norm_forward(Cpu, const LayerNorm<T>& s) {
  for_places(s.n, s.c, s.area, [&](std::int64_t image, std::int64_t first, std::int64_t places) {
    const T* x = s.x + image * s.x_stride + first;
    T* y = s.y + image * s.y_stride + first;
    Sums mean{}, scale{};
    for (std::int64_t c = 0; c < s.c; ++c)
#pragma omp simd
      for (std::int64_t i = 0; i < places; ++i) mean[i] += static_cast<double>(x[c * s.area + i]);
    for (std::int64_t i = 0; i < places; ++i) mean[i] /= static_cast<double>(s.c);
    for (std::int64_t c = 0; c < s.c; ++c)
#pragma omp simd
      for (std::int64_t i = 0; i < places; ++i) {
        const double distance = static_cast<double>(x[c * s.area + i]) - mean[i];
        scale[i] += distance * distance;
      }
    for (std::int64_t i = 0; i < places; ++i) scale[i] = 1 / std::sqrt(scale[i] / static_cast<double>(s.c) + s.eps);
    for (std::int64_t c = 0; c < s.c; ++c) {
      const double weight = s.weight ? static_cast<double>(s.weight[c]) : 1;
      const double bias = s.bias ? static_cast<double>(s.bias[c]) : 0;
      const T* from = x + c * s.area;
      T* to = y + c * s.area;
#pragma omp simd
      for (std::int64_t i = 0; i < places; ++i)
        to[i] = static_cast<T>((static_cast<double>(from[i]) - mean[i]) * scale[i] * weight + bias);
    }
    for (std::int64_t i = 0; s.scale && i < places; ++i) s.scale[image * s.area + first + i] = static_cast<T>(scale[i]);
  });
}

template <class T>
void layer_norm_backward(Cpu, std::int64_t n, std::int64_t channels, std::int64_t area, const T* all_y, const T* scale,
                         const T* all_dy, T* all_dx) {
  for_places(n, channels, area, [&](std::int64_t image, std::int64_t first, std::int64_t places) {
    const std::int64_t offset = image * channels * area + first;
    const T *y = all_y + offset, *dy = all_dy + offset;
    T* dx = all_dx + offset;
    Sums sum{}, product{};
    for (std::int64_t c = 0; c < channels; ++c)
#pragma omp simd
      for (std::int64_t i = 0; i < places; ++i) {
        const auto d = static_cast<double>(dy[c * area + i]);
        sum[i] += d;
        product[i] += d * static_cast<double>(y[c * area + i]);
      }
    const double share = 1 / static_cast<double>(channels);
    for (std::int64_t c = 0; c < channels; ++c)
#pragma omp simd
      for (std::int64_t i = 0; i < places; ++i) {
        const double rest = static_cast<double>(dy[c * area + i]) - sum[i] * share -
                            static_cast<double>(y[c * area + i]) * product[i] * share;
        dx[c * area + i] = static_cast<T>(static_cast<double>(scale[image * area + first + i]) * rest);
      }
  });
}

GLIMPSE_LAYER_NORM_KERNELS(Cpu, float)
GLIMPSE_LAYER_NORM_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
