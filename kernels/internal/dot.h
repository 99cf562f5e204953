#pragma once
// The dot product of two short rows on the CPU.

#include <cstdint>

namespace glimpse::kernels {

template <class T>
T dot(std::int64_t n, const T* x, const T* y) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

}  // namespace glimpse::kernels
