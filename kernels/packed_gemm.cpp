#include "glimpse/kernels/packed_gemm.h"

#include <algorithm>
#include <type_traits>

#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/bf16_gemm.h"
#include "glimpse/kernels/internal/gemm_tile.h"

// A packed matrix is a row of panels (see gemm_tile.h), the last filled up with zeros. Threads share out the panels, as
// many at a time as a tile takes; those meet all rows of A while they are in the cache.

namespace glimpse::kernels {

template <class T>
std::int64_t packed_size(Cpu, std::int64_t k, std::int64_t n) {
  if constexpr (std::is_same_v<T, float>)
    if (multiplies_in_bf16()) return bf16_packed_size(k, n);
  return panels(n, panel_columns<T>) * panel_columns<T> * k;
}

template <class T>
void pack(Cpu, std::int64_t k, std::int64_t n, Operand<T> b, T* packed) {
  if constexpr (std::is_same_v<T, float>)
    if (multiplies_in_bf16()) return bf16_pack(k, n, b, packed);
  constexpr std::int64_t width = panel_columns<T>;
  vector_for(panels(n, width), 4, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t first = p * width, columns = std::min(width, n - first);
      T* panel = packed + first * k;
      for (std::int64_t i = 0; i < k; ++i) {
        for (std::int64_t j = 0; j < columns; ++j)
          panel[i * width + j] = b.transposed ? b.data[(first + j) * b.stride + i] : b.data[i * b.stride + first + j];
        for (std::int64_t j = columns; j < width; ++j) panel[i * width + j] = 0;
      }
    }
  });
}

template <class T>
void packed_gemm(Cpu, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* packed, bool accumulate,
                 T* c) {
  if constexpr (std::is_same_v<T, float>)
    if (multiplies_in_bf16()) return bf16_packed_gemm(m, n, k, a, packed, accumulate, c);
  parallel_for(panels(n, tile_width<T>()), 1, [=](std::int64_t begin, std::int64_t end) {
    with_vector_bits([=]<int Bits>() {
      constexpr std::int64_t width = tile_panels<Bits> * panel_columns<T>;
      for (std::int64_t first = begin * width; first < std::min(n, end * width); first += width)
        for (std::int64_t i = 0; i < m; i += tile_rows)
          multiply_tile<Bits>(std::min<std::int64_t>(m - i, tile_rows), std::min(n - first, width), k, a + i * k, k, 1,
                              packed + first * k, accumulate, c + i * n + first, n);
    });
  });
}

#define GLIMPSE_INSTANTIATE(T)                                           \
  template std::int64_t packed_size<T>(Cpu, std::int64_t, std::int64_t); \
  template void pack(Cpu, std::int64_t, std::int64_t, Operand<T>, T*);   \
  template void packed_gemm(Cpu, std::int64_t, std::int64_t, std::int64_t, const T*, const T*, bool, T*);
GLIMPSE_INSTANTIATE(float)
GLIMPSE_INSTANTIATE(double)
#undef GLIMPSE_INSTANTIATE

}  // namespace glimpse::kernels
