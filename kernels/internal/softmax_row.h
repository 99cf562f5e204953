#pragma once
// Passes over one row that softmax and cross-entropy share on the CPU.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "glimpse/kernels/base/math.h"

namespace glimpse::kernels {

/// Largest element, NaN left aside; -inf for an empty row.
template <class T>
T row_max(std::int64_t n, const T* x) {
  // Lanes written out: a maximum that passes over NaN is no reduction that every compiler knows.
  constexpr std::int64_t lanes = 32;
  T best[lanes];
  std::fill_n(best, lanes, -std::numeric_limits<T>::infinity());
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
#pragma omp simd
    for (std::int64_t l = 0; l < lanes; ++l) best[l] = x[i + l] > best[l] ? x[i + l] : best[l];
  for (; i < n; ++i) best[0] = x[i] > best[0] ? x[i] : best[0];
  for (std::int64_t half = lanes / 2; half > 0; half /= 2)
    for (std::int64_t l = 0; l < half; ++l) best[l] = best[l + half] > best[l] ? best[l + half] : best[l];
  return best[0];
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
