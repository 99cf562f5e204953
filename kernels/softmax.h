#pragma once
// Softmax over rows. T is float or double, on CUDA also bf16; sums are taken in double, on CUDA in the wider of T and
// float.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// y[r,i] = exp(x[r,i]) / sum over j of exp(x[r,j]); x, y (rows,n). -inf gives 0, a row of -inf alone gives zeros.
/// y may be x.
template <class T>
void softmax_forward(Cpu, std::int64_t rows, std::int64_t n, const T* x, T* y);
template <class T>
void softmax_forward(Cuda, std::int64_t rows, std::int64_t n, const T* x, T* y);

/// dx = y (dy - sum over the row of y dy). dx may be dy.
template <class T>
void softmax_backward(Cpu, std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx);
template <class T>
void softmax_backward(Cuda, std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx);

/// y = log softmax(x). A row of -inf alone stays as it is. y may be x.
template <class T>
void log_softmax_forward(Cpu, std::int64_t rows, std::int64_t n, const T* x, T* y);
template <class T>
void log_softmax_forward(Cuda, std::int64_t rows, std::int64_t n, const T* x, T* y);

/// dx = dy - exp(y) (sum over the row of dy). dx may be dy.
template <class T>
void log_softmax_backward(Cpu, std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx);
template <class T>
void log_softmax_backward(Cuda, std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx);

#define GLIMPSE_SOFTMAX_KERNELS(Device, T)                                                    \
  template void softmax_forward(Device, std::int64_t, std::int64_t, const T*, T*);            \
  template void softmax_backward(Device, std::int64_t, std::int64_t, const T*, const T*, T*); \
  template void log_softmax_forward(Device, std::int64_t, std::int64_t, const T*, T*);        \
  template void log_softmax_backward(Device, std::int64_t, std::int64_t, const T*, const T*, T*);

}  // namespace glimpse::kernels
