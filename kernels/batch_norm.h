#pragma once
// Batch normalisation over images and positions (Ioffe & Szegedy, arXiv 1502.03167). x, y, dx, dy (n,c,area); all else
// (c). Sums are made in double, channel by channel in a fixed order.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

struct BatchNormShape {
  std::int64_t n, c, area;
};

/// mean and variance (biased) of each channel.
template <class T>
void batch_norm_statistics(Cpu, const BatchNormShape& shape, const T* x, T* mean, T* variance);
template <class T>
void batch_norm_statistics(Cuda, const BatchNormShape& shape, const T* x, T* mean, T* variance);
/// running = (1 - momentum) running + momentum batch; the variance that is stored is the unbiased one, n area/(n area -
/// 1) times the batch's.
template <class T>
void batch_norm_track(Cpu, const BatchNormShape& shape, double momentum, const T* mean, const T* variance,
                      T* running_mean, T* running_variance);
template <class T>
void batch_norm_track(Cuda, const BatchNormShape& shape, double momentum, const T* mean, const T* variance,
                      T* running_mean, T* running_variance);
/// What is normalised, and by what.
template <class T>
struct BatchNormInputs {
  double eps = 0;
  const T* x = nullptr;         // (n,c,area)
  const T* mean = nullptr;      // (c)
  const T* variance = nullptr;  // (c)
  const T* weight = nullptr;    // (c)
};

/// y = (x - mean) / sqrt(variance + eps) * weight + bias.
template <class T>
void batch_norm_apply(Cpu, const BatchNormShape& shape, const BatchNormInputs<T>& inputs, const T* bias, T* y);
template <class T>
void batch_norm_apply(Cuda, const BatchNormShape& shape, const BatchNormInputs<T>& inputs, const T* bias, T* y);

template <class T>
struct BatchNormGradients {
  T* dx = nullptr;       // (n,c,area), null where it is not wanted
  T* dweight = nullptr;  // (c)
  T* dbias = nullptr;    // (c)
};

/// Gradients of apply(statistics(x)): dweight = sum dy xhat, dbias = sum dy,
/// dx = weight / sqrt(variance + eps) (dy - dbias/m - xhat dweight/m), m = n area, xhat = (x - mean) / sqrt(variance +
/// eps).
template <class T>
void batch_norm_backward(Cpu, const BatchNormShape& shape, const BatchNormInputs<T>& inputs, const T* dy,
                         const BatchNormGradients<T>& result);
template <class T>
void batch_norm_backward(Cuda, const BatchNormShape& shape, const BatchNormInputs<T>& inputs, const T* dy,
                         const BatchNormGradients<T>& result);
/// Gradients of apply with mean and variance held constant: dx = weight / sqrt(variance + eps) dy. dweight and dbias
/// may be null together, and then x.
template <class T>
void batch_norm_backward_frozen(Cpu, const BatchNormShape& shape, const BatchNormInputs<T>& inputs, const T* dy,
                                const BatchNormGradients<T>& result);
template <class T>
void batch_norm_backward_frozen(Cuda, const BatchNormShape& shape, const BatchNormInputs<T>& inputs, const T* dy,
                                const BatchNormGradients<T>& result);

#define GLIMPSE_BATCH_NORM_KERNELS(Device, T)                                                                  \
  template void batch_norm_statistics(Device, const BatchNormShape&, const T*, T*, T*);                        \
  template void batch_norm_track(Device, const BatchNormShape&, double, const T*, const T*, T*, T*);           \
  template void batch_norm_apply(Device, const BatchNormShape&, const BatchNormInputs<T>&, const T*, T*);      \
  template void batch_norm_backward(Device, const BatchNormShape&, const BatchNormInputs<T>&, const T*,        \
                                    const BatchNormGradients<T>&);                                             \
  template void batch_norm_backward_frozen(Device, const BatchNormShape&, const BatchNormInputs<T>&, const T*, \
                                           const BatchNormGradients<T>&);

}  // namespace glimpse::kernels
