#include "glimpse/kernels/pooling.h"

#include <algorithm>
#include <cmath>

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

struct Range {
  std::int64_t begin, end;
};

/// The part of window i that lies on the image.
Range window(std::int64_t i, std::int64_t size, const PoolShape& s) {
  const std::int64_t start = i * s.stride - s.padding;
  return {std::max<std::int64_t>(start, 0), std::min(start + s.kernel, size)};
}

/// How many rows (or columns) window i counts in an average: the padding, but nothing beyond it.
std::int64_t counted(std::int64_t i, std::int64_t size, const PoolShape& s) {
  const std::int64_t start = i * s.stride - s.padding;
  return std::min(start + s.kernel, size + s.padding) - start;
}

Range adaptive_window(std::int64_t i, std::int64_t size, std::int64_t out) {
  return {i * size / out, ((i + 1) * size + out - 1) / out};
}

/// Calls body(plane) for all planes.
template <class Body>
void for_planes(std::int64_t planes, std::int64_t area, Body&& body) {
  vector_for(planes, 1 + 8192 / (area + 1), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) body(p);
  });
}

/// Position in the plane of the largest value of a window.
template <class T>
std::int64_t largest(const T* x, std::int64_t width, Range rows, Range columns) {
  std::int64_t best = rows.begin * width + columns.begin;
  for (std::int64_t r = rows.begin; r < rows.end; ++r)
    for (std::int64_t c = columns.begin; c < columns.end; ++c) {
      const T value = x[r * width + c];
      if (value > x[best] || (std::isnan(value) && !std::isnan(x[best]))) best = r * width + c;
    }
  return best;
}

}  // namespace

template <class T>
void max_pool_forward(Cpu, const PoolShape& s, const T* x, T* y, std::int32_t* argmax) {
  const std::int64_t out_h = s.out_h(), out_w = s.out_w();
  for_planes(s.planes, s.h * s.w, [&](std::int64_t p) {
    const T* xs = x + p * s.h * s.w;
    for (std::int64_t i = 0; i < out_h; ++i)
      for (std::int64_t j = 0; j < out_w; ++j) {
        const std::int64_t best = largest(xs, s.w, window(i, s.h, s), window(j, s.w, s));
        const std::int64_t at = (p * out_h + i) * out_w + j;
        y[at] = xs[best];
        if (argmax) argmax[at] = static_cast<std::int32_t>(best);
      }
  });
}

template <class T>
void max_pool_backward(Cpu, const PoolShape& s, const T* dy, const std::int32_t* argmax, T* dx) {
  const std::int64_t cells = s.out_h() * s.out_w(), area = s.h * s.w;
  for_planes(s.planes, area, [&](std::int64_t p) {
    std::fill_n(dx + p * area, area, T(0));
    for (std::int64_t i = p * cells; i < (p + 1) * cells; ++i) dx[p * area + argmax[i]] += dy[i];
  });
}

template <class T>
void avg_pool_forward(Cpu, const PoolShape& s, const T* x, T* y) {
  const std::int64_t out_h = s.out_h(), out_w = s.out_w();
  for_planes(s.planes, s.h * s.w, [&](std::int64_t p) {
    const T* xs = x + p * s.h * s.w;
    for (std::int64_t i = 0; i < out_h; ++i)
      for (std::int64_t j = 0; j < out_w; ++j) {
        const Range rows = window(i, s.h, s), columns = window(j, s.w, s);
        T sum = 0;
        for (std::int64_t r = rows.begin; r < rows.end; ++r)
          for (std::int64_t c = columns.begin; c < columns.end; ++c) sum += xs[r * s.w + c];
        y[(p * out_h + i) * out_w + j] = sum / static_cast<T>(counted(i, s.h, s) * counted(j, s.w, s));
      }
  });
}

template <class T>
void avg_pool_backward(Cpu, const PoolShape& s, const T* dy, T* dx) {
  const std::int64_t out_h = s.out_h(), out_w = s.out_w();
  for_planes(s.planes, s.h * s.w, [&](std::int64_t p) {
    T* dxs = dx + p * s.h * s.w;
    std::fill_n(dxs, s.h * s.w, T(0));
    for (std::int64_t i = 0; i < out_h; ++i)
      for (std::int64_t j = 0; j < out_w; ++j) {
        const Range rows = window(i, s.h, s), columns = window(j, s.w, s);
        const T share = dy[(p * out_h + i) * out_w + j] / static_cast<T>(counted(i, s.h, s) * counted(j, s.w, s));
        for (std::int64_t r = rows.begin; r < rows.end; ++r)
          for (std::int64_t c = columns.begin; c < columns.end; ++c) dxs[r * s.w + c] += share;
      }
  });
}

template <class T>
void adaptive_avg_pool_forward(Cpu, const AdaptivePoolShape& s, const T* x, T* y) {
  for_planes(s.planes, s.h * s.w, [&](std::int64_t p) {
    const T* xs = x + p * s.h * s.w;
    for (std::int64_t i = 0; i < s.out_h; ++i)
      for (std::int64_t j = 0; j < s.out_w; ++j) {
        const Range rows = adaptive_window(i, s.h, s.out_h), columns = adaptive_window(j, s.w, s.out_w);
        double sum = 0;
        for (std::int64_t r = rows.begin; r < rows.end; ++r)
          for (std::int64_t c = columns.begin; c < columns.end; ++c) sum += static_cast<double>(xs[r * s.w + c]);
        const std::int64_t count = (rows.end - rows.begin) * (columns.end - columns.begin);
        y[(p * s.out_h + i) * s.out_w + j] = static_cast<T>(sum / static_cast<double>(count));
      }
  });
}

template <class T>
void adaptive_avg_pool_backward(Cpu, const AdaptivePoolShape& s, const T* dy, T* dx) {
  for_planes(s.planes, s.h * s.w, [&](std::int64_t p) {
    T* dxs = dx + p * s.h * s.w;
    std::fill_n(dxs, s.h * s.w, T(0));
    for (std::int64_t i = 0; i < s.out_h; ++i)
      for (std::int64_t j = 0; j < s.out_w; ++j) {
        const Range rows = adaptive_window(i, s.h, s.out_h), columns = adaptive_window(j, s.w, s.out_w);
        const std::int64_t count = (rows.end - rows.begin) * (columns.end - columns.begin);
        const T share = dy[(p * s.out_h + i) * s.out_w + j] / static_cast<T>(count);
        for (std::int64_t r = rows.begin; r < rows.end; ++r)
          for (std::int64_t c = columns.begin; c < columns.end; ++c) dxs[r * s.w + c] += share;
      }
  });
}

GLIMPSE_POOLING_KERNELS(Cpu, float)
GLIMPSE_POOLING_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
