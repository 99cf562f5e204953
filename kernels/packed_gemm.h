#pragma once
// Products of one fixed matrix with many left factors of few rows, as a recurrence needs them at each step: the matrix
// is laid out once for the kernel that multiplies by it, which a plain GEMM would do again at each call. On the CPU
// alone: cuBLAS takes matrices as they lie.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/gemm.h"

namespace glimpse::kernels {

/// Elements of T that a packed (k,n) matrix takes.
template <class T>
std::int64_t packed_size(Cpu, std::int64_t k, std::int64_t n);

/// Lays out op(b) (k,n) in `packed`, which holds packed_size elements, 64-byte aligned.
template <class T>
void pack(Cpu, std::int64_t k, std::int64_t n, Operand<T> b, T* packed);

/// c (m,n) = a (m,k) times the packed matrix, added to c if `accumulate`. A row of c does not depend on m.
template <class T>
void packed_gemm(Cpu, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* packed, bool accumulate,
                 T* c);

}  // namespace glimpse::kernels
