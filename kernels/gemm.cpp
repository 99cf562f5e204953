#include "glimpse/kernels/gemm.h"

#include <algorithm>
#include <memory>
#include <type_traits>

#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/bf16_gemm.h"
#include "glimpse/kernels/internal/gemm_tile.h"
#include "glimpse/kernels/onednn/onednn.h"

// The kernel of this project follows the usual scheme (Goto & van de Geijn, "Anatomy of high-performance matrix
// multiplication", TOMS 2008): blocks of A and B are packed into panels of tile_rows rows and panel_columns columns,
// and a tile in registers sums up over k. All tiles of a block are one parallel loop, ordered so that the panels of a
// tile of B stay in the cache while the block of A passes by.

namespace glimpse::kernels {
namespace {

constexpr std::int64_t rows = tile_rows, block_k = 256, block_m = 64 * rows, block_n = 1024;

template <class T>
T element(const Operand<T>& x, std::int64_t i, std::int64_t j) {
  return x.transposed ? x.data[j * x.stride + i] : x.data[i * x.stride + j];
}

/// Panels of op(b)[k0..k0+kb, n0..n0+nb], zero-filled at the right edge.
template <class T>
void pack_b(const Operand<T>& b, std::int64_t k0, std::int64_t kb, std::int64_t n0, std::int64_t nb, T* packed) {
  constexpr std::int64_t columns = panel_columns<T>;
  vector_for(panels(nb, columns), 2, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      for (std::int64_t k = 0; k < kb; ++k)
        for (std::int64_t j = 0; j < columns; ++j) {
          const std::int64_t n = p * columns + j;
          packed[(p * kb + k) * columns + j] = n < nb ? element(b, k0 + k, n0 + n) : T(0);
        }
  });
}

/// Panels of `rows` rows of alpha op(a)[m0..m0+mb, k0..k0+kb], zero-filled at the lower edge.
template <class T>
void pack_a(const Operand<T>& a, T alpha, std::int64_t m0, std::int64_t mb, std::int64_t k0, std::int64_t kb,
            T* packed) {
  vector_for(panels(mb, rows), 8, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      for (std::int64_t k = 0; k < kb; ++k)
        for (std::int64_t i = 0; i < rows; ++i) {
          const std::int64_t m = p * rows + i;
          packed[(p * kb + k) * rows + i] = m < mb ? alpha * element(a, m0 + m, k0 + k) : T(0);
        }
  });
}

template <class T>
void scale(std::int64_t m, std::int64_t n, T beta, T* c, std::int64_t ldc) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T(0) ? T(0) : beta * c[i * ldc + j];
}

}  // namespace

template <class T>
void gemm_blocked(Cpu, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, Operand<T> a, Operand<T> b, T beta,
                  T* c, std::int64_t ldc) {
  if (beta != T(1)) scale(m, n, beta, c, ldc);
  if (m == 0 || n == 0 || k == 0 || alpha == T(0)) return;
  const std::int64_t deepest = std::min(k, block_k);
  const auto space = [](std::int64_t size) {
    return std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(size));
  };
  const auto packed_a = space(deepest * panels(std::min(m, block_m), rows) * rows);
  const auto packed_b = space(deepest * panels(std::min(n, block_n), panel_columns<T>) * panel_columns<T>);
  for (std::int64_t n0 = 0; n0 < n; n0 += block_n)
    for (std::int64_t k0 = 0; k0 < k; k0 += block_k) {
      const std::int64_t nb = std::min(block_n, n - n0), kb = std::min(block_k, k - k0);
      pack_b(b, k0, kb, n0, nb, packed_b.get());
      for (std::int64_t m0 = 0; m0 < m; m0 += block_m) {
        const std::int64_t mb = std::min(block_m, m - m0), a_panels = panels(mb, rows);
        pack_a(a, alpha, m0, mb, k0, kb, packed_a.get());
        const std::int64_t width = tile_width<T>();
        parallel_for(a_panels * panels(nb, width), 4, [&](std::int64_t begin, std::int64_t end) {
          with_vector_bits([&]<int Bits>() {
            for (std::int64_t tile = begin; tile < end; ++tile) {
              const std::int64_t i = tile % a_panels * rows, j = tile / a_panels * width;
              multiply_tile<Bits>(std::min(rows, mb - i), std::min(width, nb - j), kb, packed_a.get() + i * kb, 1, rows,
                                  packed_b.get() + j * kb, true, c + (m0 + i) * ldc + n0 + j, ldc);
            }
          });
        });
      }
    }
}

template <class T>
void gemm(Cpu cpu, std::int64_t m, std::int64_t n, std::int64_t k, Accumulator<T> alpha, Operand<T> a, Operand<T> b,
          Accumulator<T> beta, T* c, std::int64_t ldc) {
  if constexpr (std::is_same_v<T, float>)
    if (multiplies_in_bf16()) return bf16_gemm(m, n, k, alpha, a, b, beta, c, ldc);
  if constexpr (onednn_built && std::is_same_v<T, float>) {
    if (m > 0 && n > 0 && k > 0) return onednn_sgemm(m, n, k, alpha, a, b, beta, c, ldc);
  }
  gemm_blocked(cpu, m, n, k, alpha, a, b, beta, c, ldc);
}

GLIMPSE_GEMM_KERNELS(Cpu, float)
GLIMPSE_GEMM_KERNELS(Cpu, double)
template void gemm_blocked(Cpu, std::int64_t, std::int64_t, std::int64_t, float, Operand<float>, Operand<float>, float,
                           float*, std::int64_t);
template void gemm_blocked(Cpu, std::int64_t, std::int64_t, std::int64_t, double, Operand<double>, Operand<double>,
                           double, double*, std::int64_t);

}  // namespace glimpse::kernels
