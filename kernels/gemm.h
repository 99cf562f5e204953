#pragma once
// General matrix product: C = alpha op(A) op(B) + beta C, row-major. On the CPU in f32 by oneDNN where it is built in,
// else, and in f64, by the kernel of this project; with MatmulPrecision::bf16 by that of bf16_gemm.h where the processor
// has a unit for it.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/half.h"

namespace glimpse::kernels {

/// One operand of a product: a row-major matrix with `stride` elements between rows, used transposed or as it is.
template <class T>
struct Operand {
  const T* data;
  std::int64_t stride;
  bool transposed = false;
};

/// c (m,n) with stride ldc becomes alpha * op(a) op(b) + beta * c; op(a) (m,k), op(b) (k,n). With beta = 0, c is not
/// read.
template <class T>
void gemm(Cpu, std::int64_t m, std::int64_t n, std::int64_t k, Accumulator<T> alpha, Operand<T> a, Operand<T> b,
          Accumulator<T> beta, T* c, std::int64_t ldc);
/// On the device, by cuBLAS, in f32 as exactly as kernels/base/precision.h says. T is float, double, or bf16, whose
/// sums are taken in f32 and rounded once. Throws Error with the sizes where cuBLAS is missing or fails.
template <class T>
void gemm(Cuda, std::int64_t m, std::int64_t n, std::int64_t k, Accumulator<T> alpha, Operand<T> a, Operand<T> b,
          Accumulator<T> beta, T* c, std::int64_t ldc);

// The arguments and their order are those of BLAS, which every reader knows.
#define GLIMPSE_GEMM_KERNELS(Device, T)                                                                        \
  template void gemm(Device, std::int64_t, std::int64_t, std::int64_t, Accumulator<T>, Operand<T>, Operand<T>, \
                     Accumulator<T>, T*, std::int64_t);

/// The same by this project's own kernel, whatever else is built in.
template <class T>
void gemm_blocked(Cpu, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, Operand<T> a, Operand<T> b, T beta,
                  T* c, std::int64_t ldc);

}  // namespace glimpse::kernels
