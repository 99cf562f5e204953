#pragma once
// Sums over one dimension.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// y[o,i] = scale * sum over k of x[o,k,i]: x (outer,n,inner), y (outer,inner). Summed in double, in an order that
/// depends on n alone, not on the number of threads.
template <class T>
void reduce_sum(Cpu, std::int64_t outer, std::int64_t n, std::int64_t inner, double scale, const T* x, T* y);
template <class T>
void reduce_sum(Cuda, std::int64_t outer, std::int64_t n, std::int64_t inner, double scale, const T* x, T* y);

#define GLIMPSE_REDUCE_KERNELS(Device, T) \
  template void reduce_sum(Device, std::int64_t, std::int64_t, std::int64_t, double, const T*, T*);

}  // namespace glimpse::kernels
