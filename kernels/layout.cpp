#include "glimpse/kernels/layout.h"

#include <algorithm>

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

constexpr std::int64_t grain = 1 << 14;
constexpr std::int64_t tile = 32;  // a tile of doubles, in and out, fits the L1 cache

/// y[i * y_stride + j] = x[i + j * x_stride]: i runs along x, j along y.
template <class T>
void transpose_tile(std::int64_t rows, std::int64_t columns, std::int64_t x_stride, const T* x, std::int64_t y_stride,
                    T* y) {
  for (std::int64_t i = 0; i < rows; ++i)
#pragma omp simd
    for (std::int64_t j = 0; j < columns; ++j) y[i * y_stride + j] = x[i + j * x_stride];
}

}  // namespace

template <class T>
void permute(Cpu, const StridedView& view, const T* x, T* y) {
  const int last = view.rank - 1;
  // The dimension along which x is read consecutively; where that is the last one, whole rows are copied.
  int along = last;
  for (int d = 0; d < last; ++d)
    if (view.strides[d] == 1 && view.strides[last] != 1) along = d;
  const bool rows_only = along == last;
  const std::int64_t columns = view.sizes[last], x_stride = view.strides[last];
  std::int64_t y_strides[6], outer = 1, y_stride = 1;
  for (int d = last; d >= 0; --d) {
    y_strides[d] = y_stride;
    y_stride *= view.sizes[d];
    if (d != last && d != along) outer *= view.sizes[d];
  }
  const std::int64_t rows = rows_only ? 1 : view.sizes[along];
  const std::int64_t strips = (rows + tile - 1) / tile;
  const std::int64_t work = std::max<std::int64_t>(1, std::min(rows, tile) * columns);
  vector_for(outer * strips, std::max<std::int64_t>(1, grain / work), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      std::int64_t rest = p / strips, x_offset = 0, y_offset = 0;
      for (int d = last - 1; d >= 0; --d) {
        if (d == along) continue;
        const std::int64_t index = rest % view.sizes[d];
        rest /= view.sizes[d];
        x_offset += index * view.strides[d];
        y_offset += index * y_strides[d];
      }
      const std::int64_t i = p % strips * tile;
      const T* source = x + x_offset + i;
      T* target = y + y_offset + (rows_only ? 0 : i * y_strides[along]);
      if (rows_only && x_stride == 1) {
        std::copy_n(source, columns, target);
        continue;
      }
      for (std::int64_t j = 0; j < columns; j += tile)
        transpose_tile(std::min(tile, rows - i), std::min(tile, columns - j), x_stride, source + j * x_stride,
                       rows_only ? 0 : y_strides[along], target + j);
    }
  });
}

template <class T>
void copy_rows(Cpu, std::int64_t rows, std::int64_t width, std::int64_t x_stride, const T* x, std::int64_t y_stride,
               T* y) {
  if (width == 0) return;
  vector_for(rows * width, grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end;) {
      const std::int64_t row = i / width, column = i % width;
      const std::int64_t n = std::min(width - column, end - i);
      std::copy_n(x + row * x_stride + column, n, y + row * y_stride + column);
      i += n;
    }
  });
}

GLIMPSE_LAYOUT_KERNELS(Cpu, float)
GLIMPSE_LAYOUT_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
