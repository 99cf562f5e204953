#pragma once
// The gate of the attended context (Show, Attend and Tell, arXiv 1502.03044, 4.2.1): a sigmoid and a product. f32 and
// f64; on CUDA also bf16.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/half.h"

namespace glimpse::kernels {

/// gate = sig(gate + bias) in place, gated = gate * context.
template <class T>
struct GateForward {
  std::int64_t queries = 0, channels = 0;  // Q, D
  std::int64_t width = 0;                  // gates of a row: 1 or D
  const T* bias = nullptr;                 // (width)
  T* gate = nullptr;                       // (Q,width), rows gate_stride apart
  std::int64_t gate_stride = 0;
  const T* context = nullptr;  // (Q,D)
  T* gated = nullptr;          // (Q,D)
};
template <class T>
void gate_forward(Cpu, const GateForward<T>& call);
template <class T>
void gate_forward(Cuda, const GateForward<T>& call);

/// dcontext = gate * dgated; dgate is the gradient of the gate's pre-activation.
template <class T>
struct GateBackward {
  std::int64_t queries = 0, channels = 0, width = 0;  // as in GateForward
  const T* gate = nullptr;                            // (Q,width), rows gate_stride apart
  std::int64_t gate_stride = 0;
  const T* context = nullptr;  // (Q,D)
  const T* dgated = nullptr;   // (Q,D)
  T* dcontext = nullptr;       // (Q,D), may be dgated
  T* dgate = nullptr;          // (Q,width), rows dgate_stride apart
  std::int64_t dgate_stride = 0;
};
template <class T>
void gate_backward(Cpu, const GateBackward<T>& call);
template <class T>
void gate_backward(Cuda, const GateBackward<T>& call);

#define GLIMPSE_GATE_KERNELS(Device, T)                      \
  template void gate_forward(Device, const GateForward<T>&); \
  template void gate_backward(Device, const GateBackward<T>&);

}  // namespace glimpse::kernels
