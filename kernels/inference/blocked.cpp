#include "glimpse/kernels/inference/blocked.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

/// Calls f with the block size as a constant, so that its loops over lanes become vector instructions.
template <class F>
void with_block(std::int64_t block, const F& f) {
  check(block == 8 || block == 16, "blocks of {} channels: 8 or 16 are needed", block);
  with_vectors([&] {
    if (block == 16)
      f(std::integral_constant<int, 16>{});
    else
      f(std::integral_constant<int, 8>{});
  });
}

/// Calls body(lanes of y, first x of the window, its height, its width) for all windows of all blocks.
template <int B, class Body>
void for_windows(const PoolShape& s, const float* x, float* y, Body&& body) {
  const std::int64_t out_h = s.out_h(), out_w = s.out_w();
  for (std::int64_t p = 0; p < s.planes; ++p, x += s.h * s.w * B)
    for (std::int64_t i = 0; i < out_h; ++i)
      for (std::int64_t j = 0; j < out_w; ++j, y += B) {
        const std::int64_t top = std::max<std::int64_t>(i * s.stride - s.padding, 0);
        const std::int64_t left = std::max<std::int64_t>(j * s.stride - s.padding, 0);
        const std::int64_t bottom = std::min(i * s.stride - s.padding + s.kernel, s.h);
        const std::int64_t right = std::min(j * s.stride - s.padding + s.kernel, s.w);
        body(i, j, y, x + (top * s.w + left) * B, bottom - top, right - left);
      }
}

/// y = f(y) where f does more than bound.
void bend(std::int64_t n, Nonlinearity f, float* y) {
  if (!bends(f)) return;
  with_functor(f, [&](auto functor) {
    with_vectors([=] {
#pragma omp simd
      for (std::int64_t i = 0; i < n; ++i) y[i] = functor.apply(y[i]);
    });
  });
}

}  // namespace

void blocked_affine(std::int64_t block, std::int64_t blocks, std::int64_t area, const float* all_x, const float* scale,
                    const float* shift, Nonlinearity f, float* all_y) {
  const Bounds bounds = bounds_of(f);
  with_block(block, [&](auto lanes) {
    const float* x = all_x;
    float* y = all_y;
    constexpr int B = lanes;
    for (std::int64_t b = 0; b < blocks; ++b, x += area * B, y += area * B) {
      float factor[B], offset[B];  // registers: y could overlap scale and shift, for all that the compiler knows
      std::copy_n(scale + b * B, B, factor);
      if (shift)
        std::copy_n(shift + b * B, B, offset);
      else
        std::fill_n(offset, B, 0.0f);
      for (std::int64_t i = 0; i < area; ++i)
#pragma omp simd
        for (int l = 0; l < B; ++l)
          y[i * B + l] = std::min(std::max(x[i * B + l] * factor[l] + offset[l], bounds.low), bounds.high);
    }
  });
  bend(blocks * area * block, f, all_y);
}

void blocked_add(std::int64_t n, const float* a, const float* b, Nonlinearity f, float* y) {
  const Bounds bounds = bounds_of(f);
  with_vectors([&] {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) y[i] = std::min(std::max(a[i] + b[i], bounds.low), bounds.high);
  });
  bend(n, f, y);
}

void blocked_multiply(std::int64_t block, std::int64_t blocks, std::int64_t area, const float* x, const float* gate,
                      Nonlinearity f, float* y) {
  blocked_affine(block, blocks, area, x, gate, nullptr, f, y);
}

void blocked_layer_norm(std::int64_t block, std::int64_t channels, std::int64_t area, double eps, const float* x,
                        const float* weight, const float* bias, float* y) {
  with_block(block, [&](auto lanes) {
    constexpr int B = lanes;
    const std::int64_t blocks = (channels + B - 1) / B;
    const auto count = static_cast<double>(channels), empty_lanes = static_cast<double>(blocks * B - channels);
    for (std::int64_t i = 0; i < area; ++i) {
      double sum[B] = {}, square[B] = {};
      for (std::int64_t b = 0; b < blocks; ++b)
#pragma omp simd
        for (int l = 0; l < B; ++l) sum[l] += static_cast<double>(x[(b * area + i) * B + l]);
      const double mean = std::accumulate(sum, sum + B, 0.0) / count;
      for (std::int64_t b = 0; b < blocks; ++b)
#pragma omp simd
        for (int l = 0; l < B; ++l) {
          const double distance = static_cast<double>(x[(b * area + i) * B + l]) - mean;
          square[l] += distance * distance;
        }
      // Lanes beyond the channels hold zeros, which lie `mean` away.
      const double variance = (std::accumulate(square, square + B, 0.0) - empty_lanes * mean * mean) / count;
      const auto center = static_cast<float>(mean), scale = static_cast<float>(1 / std::sqrt(variance + eps));
      for (std::int64_t b = 0; b < blocks; ++b)
#pragma omp simd
        for (int l = 0; l < B; ++l) {
          const std::int64_t at = (b * area + i) * B + l;
          y[at] = (x[at] - center) * scale * weight[b * B + l] + bias[b * B + l];
        }
    }
  });
}

void blocked_max_pool(std::int64_t block, const PoolShape& s, const float* x, float* y) {
  with_block(block, [&](auto lanes) {
    constexpr int B = lanes;
    for_windows<B>(s, x, y,
                   [&](std::int64_t, std::int64_t, float* to, const float* from, std::int64_t h, std::int64_t w) {
                     float best[B];
                     std::fill_n(best, B, -std::numeric_limits<float>::infinity());
                     for (std::int64_t r = 0; r < h; ++r)
                       for (std::int64_t c = 0; c < w; ++c)
#pragma omp simd
                         for (int l = 0; l < B; ++l) best[l] = std::max(best[l], from[(r * s.w + c) * B + l]);
                     std::copy_n(best, B, to);
                   });
  });
}

void blocked_avg_pool(std::int64_t block, const PoolShape& s, const float* x, float* y) {
  const auto counted = [&](std::int64_t i, std::int64_t size) {
    const std::int64_t start = i * s.stride - s.padding;
    return std::min(start + s.kernel, size + s.padding) - start;
  };
  with_block(block, [&](auto lanes) {
    constexpr int B = lanes;
    for_windows<B>(s, x, y,
                   [&](std::int64_t i, std::int64_t j, float* to, const float* from, std::int64_t h, std::int64_t w) {
                     float sum[B] = {};
                     for (std::int64_t r = 0; r < h; ++r)
                       for (std::int64_t c = 0; c < w; ++c)
#pragma omp simd
                         for (int l = 0; l < B; ++l) sum[l] += from[(r * s.w + c) * B + l];
                     const float share = 1.0f / static_cast<float>(counted(i, s.h) * counted(j, s.w));
#pragma omp simd
                     for (int l = 0; l < B; ++l) to[l] = sum[l] * share;
                   });
  });
}

void blocked_adaptive_average(std::int64_t block, const AdaptivePoolShape& s, const float* all_x, float* all_y) {
  with_block(block, [&](auto lanes) {
    constexpr int B = lanes;
    const float* x = all_x;
    float* y = all_y;
    for (std::int64_t p = 0; p < s.planes; ++p, x += s.h * s.w * B)
      for (std::int64_t i = 0; i < s.out_h; ++i)
        for (std::int64_t j = 0; j < s.out_w; ++j, y += B) {
          const std::int64_t top = i * s.h / s.out_h, bottom = ((i + 1) * s.h + s.out_h - 1) / s.out_h;
          const std::int64_t left = j * s.w / s.out_w, right = ((j + 1) * s.w + s.out_w - 1) / s.out_w;
          double sum[B] = {};
          for (std::int64_t r = top; r < bottom; ++r)
            for (std::int64_t c = left; c < right; ++c)
#pragma omp simd
              for (int l = 0; l < B; ++l) sum[l] += static_cast<double>(x[(r * s.w + c) * B + l]);
          const auto count = static_cast<double>((bottom - top) * (right - left));
          for (int l = 0; l < B; ++l) y[l] = static_cast<float>(sum[l] / count);
        }
  });
}

void blocked_to_rows(std::int64_t block, std::int64_t channels, std::int64_t area, const float* x, float* y) {
  for (std::int64_t i = 0; i < area; ++i)
    for (std::int64_t c = 0; c < channels; c += block)
      std::copy_n(x + (c / block * area + i) * block, std::min(block, channels - c), y + i * channels + c);
}

}  // namespace glimpse::kernels
