#pragma once
// The logarithm of a sum of exponentials, in one pass over a row (Milakov & Gimelshein, arXiv 1805.02867).

#include <limits>

#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {

/// What one thread has seen of a row so far.
template <class A>
struct RunningSum {
  A top = -std::numeric_limits<A>::infinity();
  A sum = 0;         // of e^(x - top)
  double total = 0;  // of x, where it is asked for

  /// What to subtract: 0 while nothing but -inf was seen, for which the difference would be NaN.
  __device__ __forceinline__ static A shift(A top) { return top == -std::numeric_limits<A>::infinity() ? A(0) : top; }

  template <int Width, class T>
  __device__ __forceinline__ void add(const Pack<T, Width>& pack, bool with_total = false) {
    A highest = top;
#pragma unroll
    for (int j = 0; j < Width; ++j) highest = MaxOf{}(widen(pack.v[j]), highest);
    if (highest > top) {
      sum *= exp(top - highest);
      top = highest;
    }
#pragma unroll
    for (int j = 0; j < Width; ++j) sum += exp(widen(pack.v[j]) - shift(top));
    if (with_total)
#pragma unroll
      for (int j = 0; j < Width; ++j) total += static_cast<double>(widen(pack.v[j]));
  }
};

/// log of the sum of e^x over what all threads of the block have seen; in double, in a fixed order. -inf for a row of
/// -inf.
template <class A>
__device__ __forceinline__ double block_log_sum(const RunningSum<A>& seen) {
  const A top = block_max(seen.top);
  const double factor = exp(static_cast<double>(seen.top - seen.shift(top)));
  return static_cast<double>(top) + log(block_sum(static_cast<double>(seen.sum) * factor));
}

}  // namespace glimpse::kernels
