#pragma once
// Kernels outside Glimpse, for the CPU and for the GPU: y = x / (1 + |x|) and its gradient.

#include <glimpse/kernels/base/device.h>
#include <cstdint>

namespace own {

/// n elements of x and y. Defined for float and double.
template <class T>
void softsign_forward(glimpse::kernels::Cpu device, std::int64_t n, const T* x, T* y);
template <class T>
void softsign_forward(glimpse::kernels::Cuda device, std::int64_t n, const T* x, T* y);

/// dx = dy / (1 + |x|)^2.
template <class T>
void softsign_backward(glimpse::kernels::Cpu device, std::int64_t n, const T* x, const T* dy, T* dx);
template <class T>
void softsign_backward(glimpse::kernels::Cuda device, std::int64_t n, const T* x, const T* dy, T* dx);

}  // namespace own
