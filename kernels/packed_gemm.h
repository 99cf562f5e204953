#pragma once
// Products of one fixed matrix with many left factors of few rows, as a recurrence needs them at each step: the matrix
// is laid out once for the kernel that multiplies by it, which a plain GEMM would do again at each call.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/kernels/layout.h"

namespace glimpse::kernels {

/// Elements of T that a packed (k,n) matrix takes.
template <class T>
std::int64_t packed_size(Cpu, std::int64_t k, std::int64_t n);
template <class T>
std::int64_t packed_size(Cuda, std::int64_t k, std::int64_t n) {
  return k * n;
}

/// Lays out op(b) (k,n) in `packed`, which holds packed_size elements, 64-byte aligned.
template <class T>
void pack(Cpu, std::int64_t k, std::int64_t n, Operand<T> b, T* packed);
/// On the device a packed matrix is op(b) itself, row by row.
template <class T>
void pack(Cuda device, std::int64_t k, std::int64_t n, Operand<T> b, T* packed) {
  const StridedView view{2, {k, n}, {b.transposed ? 1 : b.stride, b.transposed ? b.stride : 1}};
  permute(device, view, b.data, packed);
}

/// c (m,n) = a (m,k) times the packed matrix, added to c if `accumulate`. On the CPU a row of c does not depend on m.
template <class T>
void packed_gemm(Cpu, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* packed, bool accumulate,
                 T* c);
template <class T>
void packed_gemm(Cuda device, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* packed,
                 bool accumulate, T* c) {
  gemm(device, m, n, k, T(1), Operand<T>{a, k}, Operand<T>{packed, n}, accumulate ? T(1) : T(0), c, n);
}

}  // namespace glimpse::kernels
