#pragma once
// Hard attention (Show, Attend and Tell, arXiv 1502.03044, 4.1): each query reads one location of its image instead of
// the mean of all. A location of -1 stands for the mean: what belongs to that query stays as it is. f32 and f64.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// location (Q) drawn from alpha (Q,L), whose rows need not sum to exactly 1, by the numbers uniform (Q) in [0,1): the
/// first location up to which the sum exceeds uniform times that of the row. -1 where uniform is negative. A location
/// of probability 0 is never drawn.
template <class T>
void sample_locations(Cpu, std::int64_t queries, std::int64_t locations, const T* alpha, const T* uniform,
                      std::int32_t* location);
template <class T>
void sample_locations(Cuda, std::int64_t queries, std::int64_t locations, const T* alpha, const T* uniform,
                      std::int32_t* location);

/// context (Q,D) becomes the feature at location (Q) of image (Q) among features (B,L,D).
template <class T>
void read_locations(Cpu, std::int64_t queries, std::int64_t locations, std::int64_t channels, const T* features,
                    const std::int32_t* image, const std::int32_t* location, T* context);
template <class T>
void read_locations(Cuda, std::int64_t queries, std::int64_t locations, std::int64_t channels, const T* features,
                    const std::int32_t* image, const std::int32_t* location, T* context);

/// Row q of x (Q,n) becomes `value` at column location[q] and 0 elsewhere.
template <class T>
void mark_locations(Cpu, std::int64_t queries, std::int64_t n, const std::int32_t* location, T value, T* x);
template <class T>
void mark_locations(Cuda, std::int64_t queries, std::int64_t n, const std::int32_t* location, T value, T* x);

#define GLIMPSE_LOCATION_KERNELS(Device, T)                                                                     \
  template void sample_locations(Device, std::int64_t, std::int64_t, const T*, const T*, std::int32_t*);        \
  template void read_locations(Device, std::int64_t, std::int64_t, std::int64_t, const T*, const std::int32_t*, \
                               const std::int32_t*, T*);                                                        \
  template void mark_locations(Device, std::int64_t, std::int64_t, const std::int32_t*, T, T*);

}  // namespace glimpse::kernels
