// What NVIDIA's libraries do on a device (kernels/nvidia/), done on the emulator's memory by the CPU's kernels.

#include "glimpse/kernels/gemm.h"

namespace glimpse::kernels {

template <class T>
void gemm(Cuda, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, Operand<T> a, Operand<T> b, T beta, T* c,
          std::int64_t ldc) {
  gemm(Cpu{}, m, n, k, alpha, a, b, beta, c, ldc);
}

template void gemm(Cuda, std::int64_t, std::int64_t, std::int64_t, float, Operand<float>, Operand<float>, float, float*,
                   std::int64_t);
template void gemm(Cuda, std::int64_t, std::int64_t, std::int64_t, double, Operand<double>, Operand<double>, double,
                   double*, std::int64_t);

}  // namespace glimpse::kernels
