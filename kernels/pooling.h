#pragma once
// Pooling of images: maxima and averages over windows. x (planes,h,w), y (planes,out_h,out_w), planes = images x
// channels.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

struct PoolShape {
  std::int64_t planes, h, w, kernel, stride, padding;
  bool ceil_mode = false;

  /// PyTorch's rule: with ceil_mode the last window may reach over the edge, but must start before the right padding.
  static std::int64_t out(std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                          bool ceil_mode) {
    const std::int64_t room = size + 2 * padding - kernel;
    std::int64_t count = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (ceil_mode && (count - 1) * stride >= size + padding) --count;
    return count;
  }
  std::int64_t out_h() const { return out(h, kernel, stride, padding, ceil_mode); }
  std::int64_t out_w() const { return out(w, kernel, stride, padding, ceil_mode); }
};

/// y = the largest value in each window; argmax (planes,out_h,out_w) = its position in the plane, the first of equals.
/// argmax may be null. NaN wins.
template <class T>
void max_pool_forward(Cpu, const PoolShape& shape, const T* x, T* y, std::int32_t* argmax);
template <class T>
void max_pool_forward(Cuda, const PoolShape& shape, const T* x, T* y, std::int32_t* argmax);
/// dx[argmax] += dy, dx being zeroed first.
template <class T>
void max_pool_backward(Cpu, const PoolShape& shape, const T* dy, const std::int32_t* argmax, T* dx);
template <class T>
void max_pool_backward(Cuda, const PoolShape& shape, const T* dy, const std::int32_t* argmax, T* dx);
/// y = sum of each window / its size with the padding counted, but not what ceil_mode adds beyond it.
template <class T>
void avg_pool_forward(Cpu, const PoolShape& shape, const T* x, T* y);
template <class T>
void avg_pool_forward(Cuda, const PoolShape& shape, const T* x, T* y);
template <class T>
void avg_pool_backward(Cpu, const PoolShape& shape, const T* dy, T* dx);
template <class T>
void avg_pool_backward(Cuda, const PoolShape& shape, const T* dy, T* dx);

struct AdaptivePoolShape {
  std::int64_t planes, h, w, out_h, out_w;
};
/// y[i,j] = mean of x over rows floor(i h/out_h) .. ceil((i+1) h/out_h) and columns likewise.
template <class T>
void adaptive_avg_pool_forward(Cpu, const AdaptivePoolShape& shape, const T* x, T* y);
template <class T>
void adaptive_avg_pool_forward(Cuda, const AdaptivePoolShape& shape, const T* x, T* y);
template <class T>
void adaptive_avg_pool_backward(Cpu, const AdaptivePoolShape& shape, const T* dy, T* dx);
template <class T>
void adaptive_avg_pool_backward(Cuda, const AdaptivePoolShape& shape, const T* dy, T* dx);

#define GLIMPSE_POOLING_KERNELS(Device, T)                                                      \
  template void max_pool_forward(Device, const PoolShape&, const T*, T*, std::int32_t*);        \
  template void max_pool_backward(Device, const PoolShape&, const T*, const std::int32_t*, T*); \
  template void avg_pool_forward(Device, const PoolShape&, const T*, T*);                       \
  template void avg_pool_backward(Device, const PoolShape&, const T*, T*);                      \
  template void adaptive_avg_pool_forward(Device, const AdaptivePoolShape&, const T*, T*);      \
  template void adaptive_avg_pool_backward(Device, const AdaptivePoolShape&, const T*, T*);

}  // namespace glimpse::kernels
