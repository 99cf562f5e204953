#pragma once
// Rows picked by index, and the sum that is its gradient.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/half.h"

namespace glimpse::kernels {

/// Position of the first index outside [0,limit) that is not `allowed`; -1 when there is none.
std::int64_t find_outside(Cpu, std::int64_t n, const std::int32_t* index, std::int64_t limit,
                          std::int64_t allowed = -1);
std::int64_t find_outside(Cuda, std::int64_t n, const std::int32_t* index, std::int64_t limit,
                          std::int64_t allowed = -1);

/// y[i,:] = x[index[i],:]; x (rows,width), index (n), y (n,width). Every index lies in [0,rows).
template <class T>
void gather_rows(Cpu, std::int64_t n, std::int64_t width, const T* x, const std::int32_t* index, T* y);
template <class T>
void gather_rows(Cuda, std::int64_t n, std::int64_t width, const T* x, const std::int32_t* index, T* y);

/// gather_rows of few and long rows in f16 or f32, as f32: x (rows,width), y (n,width).
template <class From>
void gather_as_float(Cpu, std::int64_t n, std::int64_t width, const From* x, const std::int32_t* index, float* y);
template <class From>
void gather_as_float(Cuda, std::int64_t n, std::int64_t width, const From* x, const std::int32_t* index, float* y);

#define GLIMPSE_GATHER_AS_FLOAT_KERNELS(Device, T) \
  template void gather_as_float(Device, std::int64_t, std::int64_t, const T*, const std::int32_t*, float*);

/// dx[r,:] = sum of dy[i,:] over the i with index[i] = r, in double and in the order of i; dx (rows,width), dy
/// (n,width).
template <class T>
void sum_rows_by_index(Cpu, std::int64_t rows, std::int64_t n, std::int64_t width, const T* dy,
                       const std::int32_t* index, T* dx);
template <class T>
void sum_rows_by_index(Cuda, std::int64_t rows, std::int64_t n, std::int64_t width, const T* dy,
                       const std::int32_t* index, T* dx);

#define GLIMPSE_EMBEDDING_KERNELS(Device, T)                                                        \
  template void gather_rows(Device, std::int64_t, std::int64_t, const T*, const std::int32_t*, T*); \
  template void sum_rows_by_index(Device, std::int64_t, std::int64_t, std::int64_t, const T*, const std::int32_t*, T*);

}  // namespace glimpse::kernels
