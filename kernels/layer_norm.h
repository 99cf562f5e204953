#pragma once
// Layer normalisation (Ba et al., arXiv 1607.06450) of images: over the channels, at each place for itself, as ConvNeXt
// does it.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// n images of c channels of `area` places, x_stride and y_stride elements apart.
template <class T>
struct LayerNorm {
  std::int64_t n, c, area;
  std::int64_t x_stride, y_stride;
  double eps;
  const T* x = nullptr;
  const T *weight = nullptr, *bias = nullptr;  ///< (c); null: 1 and 0
  T* y = nullptr;
  T* scale = nullptr;  ///< (n,area), for the way back; may be null
};

/// y = (x - mean) scale weight + bias with scale = 1 / sqrt(variance + eps), the mean and (biased) variance over the
/// channels of a place, in double. y may be x.
template <class T>
void layer_norm_forward(Cpu, const LayerNorm<T>& norm);
template <class T>
void layer_norm_forward(Cuda, const LayerNorm<T>& norm);
/// dx = scale (dy - mean of dy - y mean of dy y), means over the channels, from y as it is without weight and bias; all
/// (n,c,area) but scale. dx may be dy.
template <class T>
void layer_norm_backward(Cpu, std::int64_t n, std::int64_t c, std::int64_t area, const T* y, const T* scale,
                         const T* dy, T* dx);
template <class T>
void layer_norm_backward(Cuda, std::int64_t n, std::int64_t c, std::int64_t area, const T* y, const T* scale,
                         const T* dy, T* dx);

#define GLIMPSE_LAYER_NORM_KERNELS(Device, T)                    \
  template void layer_norm_forward(Device, const LayerNorm<T>&); \
  template void layer_norm_backward(Device, std::int64_t, std::int64_t, std::int64_t, const T*, const T*, const T*, T*);

}  // namespace glimpse::kernels
