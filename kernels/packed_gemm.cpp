#include "glimpse/kernels/packed_gemm.h"

#include <algorithm>
#include <type_traits>

#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/onednn/onednn.h"
#include "glimpse/kernels/onednn/packed_gemm.h"

namespace glimpse::kernels {
namespace {

template <class T>
constexpr bool by_onednn = onednn_built&& std::is_same_v<T, float>;

}  // namespace

template <class T>
std::int64_t packed_size(Cpu, std::int64_t k, std::int64_t n) {
  if constexpr (by_onednn<T>)
    return onednn_packed_size(k, n);
  else
    return k * n;
}

template <class T>
void pack(Cpu, std::int64_t k, std::int64_t n, Operand<T> b, T* packed) {
  if constexpr (by_onednn<T>) {
    onednn_pack(k, n, b, packed);
  } else {
    vector_for(k, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        for (std::int64_t j = 0; j < n; ++j)
          packed[i * n + j] = b.transposed ? b.data[j * b.stride + i] : b.data[i * b.stride + j];
    });
  }
}

template <class T>
void packed_gemm(Cpu device, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* packed,
                 bool accumulate, T* c) {
  if (m == 0 || n == 0) return;
  if constexpr (by_onednn<T>)
    if (k > 0) return onednn_packed_gemm(m, n, k, a, packed, accumulate, c);
  gemm(device, m, n, k, T(1), Operand<T>{a, k}, Operand<T>{packed, n}, accumulate ? T(1) : T(0), c, n);
}

#define GLIMPSE_INSTANTIATE(T)                                           \
  template std::int64_t packed_size<T>(Cpu, std::int64_t, std::int64_t); \
  template void pack(Cpu, std::int64_t, std::int64_t, Operand<T>, T*);   \
  template void packed_gemm(Cpu, std::int64_t, std::int64_t, std::int64_t, const T*, const T*, bool, T*);
GLIMPSE_INSTANTIATE(float)
GLIMPSE_INSTANTIATE(double)
#undef GLIMPSE_INSTANTIATE

}  // namespace glimpse::kernels
