#pragma once
// Copies that change the order of elements.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// y contiguous with `rank` >= 1 dimensions `sizes`; y[i0,i1,...] = x[i0 strides[0] + i1 strides[1] + ...].
struct StridedView {
  int rank;
  std::int64_t sizes[6];
  std::int64_t strides[6];
};
template <class T>
void permute(Cpu, const StridedView& view, const T* x, T* y);
template <class T>
void permute(Cuda, const StridedView& view, const T* x, T* y);

/// Copies `rows` rows of `width` elements, `x_stride` and `y_stride` elements apart.
template <class T>
void copy_rows(Cpu, std::int64_t rows, std::int64_t width, std::int64_t x_stride, const T* x, std::int64_t y_stride,
               T* y);
template <class T>
void copy_rows(Cuda, std::int64_t rows, std::int64_t width, std::int64_t x_stride, const T* x, std::int64_t y_stride,
               T* y);

#define GLIMPSE_LAYOUT_KERNELS(Device, T)                          \
  template void permute(Device, const StridedView&, const T*, T*); \
  template void copy_rows(Device, std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, T*);

}  // namespace glimpse::kernels
