#pragma once
// Filling, copying and conversion between element types.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/half.h"

namespace glimpse::kernels {

/// y[i] = value, i < n.
template <class T>
void fill(Cpu, std::int64_t n, T value, T* y);
template <class T>
void fill(Cuda, std::int64_t n, T value, T* y);

/// y[i] = To(x[i]), i < n; to 16 bits rounded to nearest even, to integers towards zero. From, To: float, double,
/// int32, bf16, f16.
template <class From, class To>
void convert(Cpu, std::int64_t n, const From* x, To* y);
template <class From, class To>
void convert(Cuda, std::int64_t n, const From* x, To* y);

/// n bytes, x and y not overlapping.
void copy_bytes(Cpu, std::int64_t n, const void* x, void* y);
void copy_bytes(Cuda, std::int64_t n, const void* x, void* y);

/// Of T and from T.
#define GLIMPSE_CONVERT_KERNELS(Device, T)                              \
  template void fill(Device, std::int64_t, T, T*);                      \
  template void convert(Device, std::int64_t, const T*, float*);        \
  template void convert(Device, std::int64_t, const T*, double*);       \
  template void convert(Device, std::int64_t, const T*, std::int32_t*); \
  template void convert(Device, std::int64_t, const T*, bf16*);         \
  template void convert(Device, std::int64_t, const T*, f16*);

}  // namespace glimpse::kernels
