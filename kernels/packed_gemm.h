#pragma once
// Products of one fixed matrix with many left factors of few rows, as a recurrence needs them at each step: the matrix
// is laid out once for the kernel that multiplies by it, which a plain GEMM would do again at each call.

#include <cstdint>

#include "glimpse/kernels/device.h"
#include "glimpse/kernels/gemm.h"

namespace glimpse::kernels {

/// Elements of T that a packed (k,n) matrix takes.
template <class T>
std::int64_t packed_size(Cpu, std::int64_t k, std::int64_t n);

/// Lays out op(b) (k,n) in `packed`, which holds packed_size elements, 64-byte aligned.
template <class T>
void pack(Cpu, std::int64_t k, std::int64_t n, Operand<T> b, T* packed);

/// c (m,n) with stride ldc = a (m,k) with stride lda times the packed matrix, added to c if `accumulate`. For f32 with
/// oneDNN any m costs about m / 64 of m = 64; else it is a plain GEMM.
template <class T>
void packed_gemm(Cpu, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda, const T* packed,
                 bool accumulate, T* c, std::int64_t ldc);

}  // namespace glimpse::kernels
