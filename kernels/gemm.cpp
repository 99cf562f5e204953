#include "glimpse/kernels/gemm.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "glimpse/kernels/check.h"
#include "glimpse/kernels/onednn.h"
#include "glimpse/kernels/parallel.h"

// The kernel of this project follows the usual scheme (Goto & van de Geijn, "Anatomy of high-performance matrix
// multiplication", TOMS 2008): a block of B is packed into panels of `columns` columns that stay in the L2 cache, a block of
// A into panels of `rows` rows, and a register tile of rows x columns accumulates over k.

namespace glimpse::kernels {
namespace {

template <class T>
constexpr int columns = 128 / static_cast<int>(sizeof(T));  // two 512-bit registers wide
constexpr int rows = 6;
constexpr std::int64_t block_k = 256, block_m = 96, block_n = 1024;

template <class T>
T element(const Operand<T>& x, std::int64_t i, std::int64_t j) {
  return x.transposed ? x.data[j * x.stride + i] : x.data[i * x.stride + j];
}

/// Panels of `columns` columns of op(b)[k0..k0+kb, n0..n0+nb], zero-filled at the right edge.
template <class T>
void pack_b(const Operand<T>& b, std::int64_t k0, std::int64_t kb, std::int64_t n0, std::int64_t nb, T* packed) {
  const std::int64_t panels = (nb + columns<T> - 1) / columns<T>;
  parallel_for(panels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      for (std::int64_t k = 0; k < kb; ++k)
        for (std::int64_t j = 0; j < columns<T>; ++j) {
          const std::int64_t n = p * columns<T> + j;
          packed[(p * kb + k) * columns<T> + j] = n < nb ? element(b, k0 + k, n0 + n) : T(0);
        }
  });
}

template <class T>
void pack_a(const Operand<T>& a, std::int64_t m0, std::int64_t mb, std::int64_t k0, std::int64_t kb, T* packed) {
  for (std::int64_t p = 0; p < (mb + rows - 1) / rows; ++p)
    for (std::int64_t k = 0; k < kb; ++k)
      for (std::int64_t i = 0; i < rows; ++i) {
        const std::int64_t m = p * rows + i;
        packed[(p * kb + k) * rows + i] = m < mb ? element(a, m0 + m, k0 + k) : T(0);
      }
}

/// tile (rows, columns) = sum over k of a panel of A times a panel of B.
template <class T>
void multiply_tile(std::int64_t kb, const T* a, const T* b, T (&tile)[rows][columns<T>]) {
  T sum[rows][columns<T>] = {};
  for (std::int64_t k = 0; k < kb; ++k)
    for (int i = 0; i < rows; ++i)
#pragma omp simd
      for (int j = 0; j < columns<T>; ++j) sum[i][j] += a[k * rows + i] * b[k * columns<T> + j];
  std::copy_n(&sum[0][0], rows * columns<T>, &tile[0][0]);
}

template <class T>
void scale(std::int64_t m, std::int64_t n, T beta, T* c, std::int64_t ldc) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T(0) ? T(0) : beta * c[i * ldc + j];
}

template <class T>
void gemm_blocked(std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const Operand<T>& a, const Operand<T>& b, T* c,
                  std::int64_t ldc) {
  std::vector<T> packed_b(static_cast<std::size_t>(block_k * (std::min(block_n, n) + columns<T>)));
  for (std::int64_t n0 = 0; n0 < n; n0 += block_n)
    for (std::int64_t k0 = 0; k0 < k; k0 += block_k) {
      const std::int64_t nb = std::min(block_n, n - n0), kb = std::min(block_k, k - k0);
      pack_b(b, k0, kb, n0, nb, packed_b.data());
      parallel_for((m + block_m - 1) / block_m, 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<T> packed_a(static_cast<std::size_t>(block_k * (block_m + rows)));
        T tile[rows][columns<T>];
        for (std::int64_t m0 = begin * block_m; m0 < std::min(end * block_m, m); m0 += block_m) {
          const std::int64_t mb = std::min(block_m, m - m0);
          pack_a(a, m0, mb, k0, kb, packed_a.data());
          for (std::int64_t j0 = 0; j0 < nb; j0 += columns<T>)
            for (std::int64_t i0 = 0; i0 < mb; i0 += rows) {
              multiply_tile(kb, packed_a.data() + i0 * kb, packed_b.data() + j0 * kb, tile);
              for (std::int64_t i = i0; i < std::min<std::int64_t>(i0 + rows, mb); ++i)
                for (std::int64_t j = j0; j < std::min<std::int64_t>(j0 + columns<T>, nb); ++j)
                  c[(m0 + i) * ldc + n0 + j] += alpha * tile[i - i0][j - j0];
            }
        }
      });
    }
}

}  // namespace

template <class T>
void gemm(Cpu, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, Operand<T> a, Operand<T> b, T beta, T* c,
          std::int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0 || alpha == T(0)) return scale(m, n, beta, c, ldc);
  if constexpr (onednn_built && std::is_same_v<T, float>) {
    onednn_sgemm(m, n, k, alpha, a, b, beta, c, ldc);
  } else {
    if (beta != T(1)) scale(m, n, beta, c, ldc);
    gemm_blocked(m, n, k, alpha, a, b, c, ldc);
  }
}

template void gemm(Cpu, std::int64_t, std::int64_t, std::int64_t, float, Operand<float>, Operand<float>, float, float*,
                   std::int64_t);
template void gemm(Cpu, std::int64_t, std::int64_t, std::int64_t, double, Operand<double>, Operand<double>, double, double*,
                   std::int64_t);

}  // namespace glimpse::kernels
