#pragma once
// Passes over one row that softmax and cross-entropy share on the CPU.

#include <cstdint>
#include <limits>

#include "glimpse/kernels/base/math.h"

namespace glimpse::kernels {

/// Largest element, NaN left aside; -inf for an empty row.
template <class T>
T row_max(std::int64_t n, const T* x) {
  T best = -std::numeric_limits<T>::infinity();
#pragma omp simd reduction(max : best)
  for (std::int64_t i = 0; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

/// Sum of exp(x - shift).
template <class T>
double row_sum_exp(std::int64_t n, const T* x, T shift) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(kernels::exp(x[i] - shift));
  return sum;
}

}  // namespace glimpse::kernels
