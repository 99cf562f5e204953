#pragma once
// Matrices as tiles of bf16 for the processor's matrix unit. A tile has 16 rows of A, or 16 columns of B, and 32
// numbers along k, which come in pairs of 32 bits: A's as (16 rows, 16 pairs), B's as (16 pairs, 16 columns). Tiles
// along k stand one behind the other, so that both units run through memory in order; edges are filled up with zeros.

#include <bit>
#include <cstdint>
#include <cstring>

#include "glimpse/kernels/gemm.h"

namespace glimpse::kernels::bf16_tiles {

inline constexpr std::int64_t side = 16, depth = 32, pairs = depth / 2, tile = side * pairs;  // a tile's pairs

inline std::int64_t count(std::int64_t size, std::int64_t of) { return (size + of - 1) / of; }

/// The bits of bf16(x), rounded to nearest even, in the upper half.
inline std::uint32_t rounded(float x) {
  const std::uint32_t u = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t nearest = (u + 0x7fffu + ((u >> 16) & 1u)) & 0xffff0000u;
  return (u & 0x7fffffffu) > 0x7f800000u ? (u & 0xffff0000u) | 0x400000u : nearest;  // a NaN stays one
}

/// The pair whose first number is x.
inline std::uint32_t pair(float x, float y) { return rounded(x) >> 16 | rounded(y); }

/// y (16,16) = x (16,16) transposed.
inline void transpose(const std::uint32_t* x, std::uint32_t* y) {
  for (std::int64_t i = 0; i < side; ++i)
    for (std::int64_t j = 0; j < side; ++j) y[i * side + j] = x[j * side + i];
}

/// A tile from numbers x[s * stride + k], k < 32, of 16 rows or columns s: pairs lie side by side in memory. As (s,
/// pair), or as (pair, s) if `pairs_first`.
inline void along_k(const float* x, std::int64_t stride, bool pairs_first, std::uint32_t* y) {
  std::uint32_t held[tile];
  std::uint32_t* to = pairs_first ? held : y;
  for (std::int64_t s = 0; s < side; ++s)
#pragma omp simd
    for (std::int64_t p = 0; p < pairs; ++p) to[s * pairs + p] = pair(x[s * stride + 2 * p], x[s * stride + 2 * p + 1]);
  if (pairs_first) transpose(held, y);
}

/// The same from numbers x[k * stride + s].
inline void across_k(const float* x, std::int64_t stride, bool pairs_first, std::uint32_t* y) {
  std::uint32_t held[tile];
  std::uint32_t* to = pairs_first ? y : held;
  for (std::int64_t p = 0; p < pairs; ++p)
#pragma omp simd
    for (std::int64_t s = 0; s < side; ++s) to[p * side + s] = pair(x[2 * p * stride + s], x[(2 * p + 1) * stride + s]);
  if (!pairs_first) transpose(held, y);
}

/// The tiles along k of rows or columns [first, first + 16) of a matrix of `size` of them and k numbers each. Its
/// number (s, k) is x[s * s_stride + k * k_stride], one stride of which is 1.
inline void pack(const float* x, std::int64_t s_stride, std::int64_t k_stride, std::int64_t first, std::int64_t size,
                 std::int64_t k, bool pairs_first, std::uint32_t* y) {
  const std::int64_t here = size - first < side ? size - first : side;
  for (std::int64_t k0 = 0; k0 < k; k0 += depth, y += tile) {
    const float* from = x + first * s_stride + k0 * k_stride;
    if (here == side && k - k0 >= depth) {
      k_stride == 1 ? along_k(from, s_stride, pairs_first, y) : across_k(from, k_stride, pairs_first, y);
      continue;
    }
    float edge[side * depth] = {};
    for (std::int64_t s = 0; s < here; ++s)
      for (std::int64_t l = 0; l < depth && k0 + l < k; ++l) edge[s * depth + l] = from[s * s_stride + l * k_stride];
    along_k(edge, depth, pairs_first, y);
  }
}

}  // namespace glimpse::kernels::bf16_tiles
