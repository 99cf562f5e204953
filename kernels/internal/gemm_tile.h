#pragma once
// The innermost part of all products on the CPU: rows of A times panels of B, summed up in registers.

#include <algorithm>
#include <cstdint>

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {

/// Columns of a panel of B, which is stored as (k, panel_columns): 64 bytes a row, whatever the vectors' width.
template <class T>
inline constexpr int panel_columns = 64 / static_cast<int>(sizeof(T));

/// Panels of so many columns or rows that n of them need.
inline std::int64_t panels(std::int64_t n, std::int64_t width) { return (n + width - 1) / width; }

/// Rows of A that a tile takes at most: with four panels of 512-bit vectors, or two vectors of fewer bits, their sums
/// leave enough of the 32 or 16 registers for A and B.
inline constexpr int tile_rows = 6;
template <int Bits>
inline constexpr int tile_panels = Bits == 512 ? 4 : 1;
/// Columns of a tile with the vectors of this process.
template <class T>
std::int64_t tile_width() {
  return (vector_bits() == 512 ? tile_panels<512> : tile_panels<256>)*panel_columns<T>;
}

/// C += A B or, unless `accumulate`, C = A B for A (Rows,k), element (i,l) at a[i * row + l * depth], `Panels` panels
/// of B one behind the other, and the first n columns of C. `Width` columns of a panel at a time.
template <int Rows, int Panels, int Width, class T>
inline void multiply_tile(std::int64_t k, const T* a, std::int64_t row, std::int64_t depth, const T* b, bool accumulate,
                          std::int64_t n, T* c, std::int64_t ldc) {
  constexpr int columns = panel_columns<T>;
  for (int part = 0; part < columns; part += Width) {
    T sum[Rows][Panels][Width] = {};
    for (std::int64_t l = 0; l < k; ++l)
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
        for (int p = 0; p < Panels; ++p)
#pragma omp simd
          for (int j = 0; j < Width; ++j) sum[i][p][j] += a[i * row + l * depth] * b[(p * k + l) * columns + part + j];
    for (int i = 0; i < Rows; ++i)
      for (int p = 0; p < Panels; ++p) {
        const std::int64_t first = p * columns + part, last = std::min<std::int64_t>(n, first + Width);
        T* to = c + i * ldc;
        for (std::int64_t j = first; j < last; ++j)
          to[j] = accumulate ? to[j] + sum[i][p][j - first] : sum[i][p][j - first];
      }
  }
}

/// As multiply_tile with vectors of so many bits, 1 <= m <= tile_rows and n <= tile_panels<Bits> * panel_columns.
template <int Bits, int Rows = tile_rows, int Panels = tile_panels<Bits>, class T>
inline void multiply_tile(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t row,
                          std::int64_t depth, const T* b, bool accumulate, T* c, std::int64_t ldc) {
  if constexpr (Rows > 1)
    if (m < Rows) return multiply_tile<Bits, Rows - 1, Panels>(m, n, k, a, row, depth, b, accumulate, c, ldc);
  if constexpr (Panels > 1)
    if (n <= (Panels - 1) * panel_columns<T>)
      return multiply_tile<Bits, Rows, Panels - 1>(m, n, k, a, row, depth, b, accumulate, c, ldc);
  constexpr int width = std::min(panel_columns<T>, 2 * Bits / 8 / static_cast<int>(sizeof(T)));
  multiply_tile<Rows, Panels, width>(k, a, row, depth, b, accumulate, n, c, ldc);
}

}  // namespace glimpse::kernels
