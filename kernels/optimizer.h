#pragma once
// Optimizer updates over flat buffers: clip, update and zero the gradient in one pass. T is float or double; constants
// are combined in double and rounded once.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/half.h"

namespace glimpse::kernels {

/// A gradient g enters the update as scale * min(max(g, -value), value); value may be infinite.
struct Clip {
  double value;
  double scale;
};

/// Sums of squares over a gradient, in double and in an order that depends on n alone.
struct GradientSums {
  double all;      ///< of g; not finite when any g is not
  double clipped;  ///< of min(max(g, -value), value)
};
template <class T>
GradientSums gradient_sums(Cpu, std::int64_t n, double clip_value, const T* g);
template <class T>
GradientSums gradient_sums(Cuda, std::int64_t n, double clip_value, const T* g);

struct SgdStep {
  double learning_rate, momentum, weight_decay;
};
/// p, g, b (n); b may be null when momentum is 0.
template <class T>
void sgd_step(Cpu, std::int64_t n, const SgdStep& step, const Clip& clip, T* p, T* g, T* b);
template <class T>
void sgd_step(Cuda, std::int64_t n, const SgdStep& step, const Clip& clip, T* p, T* g, T* b);

struct RmsPropStep {
  double learning_rate, alpha, eps, momentum, weight_decay;
};
/// p, g, v, b (n); b may be null when momentum is 0.
template <class T>
void rmsprop_step(Cpu, std::int64_t n, const RmsPropStep& step, const Clip& clip, T* p, T* g, T* v, T* b);
template <class T>
void rmsprop_step(Cuda, std::int64_t n, const RmsPropStep& step, const Clip& clip, T* p, T* g, T* v, T* b);

struct AdamStep {
  double learning_rate, beta1, beta2, eps;
  double weight_decay;     ///< added to the gradient
  double decoupled_decay;  ///< AdamW's: shrinks the parameter itself
  std::int64_t count;      ///< number of this step, from 1: for the bias correction
};
/// p, g, m, v (n). copy (n), unless null, receives the new parameters in bf16: what products in bf16 read.
template <class T>
void adam_step(Cpu, std::int64_t n, const AdamStep& step, const Clip& clip, T* p, T* g, T* m, T* v,
               bf16* copy = nullptr);
template <class T>
void adam_step(Cuda, std::int64_t n, const AdamStep& step, const Clip& clip, T* p, T* g, T* m, T* v,
               bf16* copy = nullptr);

/// average += rate (p - average), (n): an exponential moving average of parameters.
template <class T>
void move_average(Cpu, std::int64_t n, double rate, const T* p, T* average);
template <class T>
void move_average(Cuda, std::int64_t n, double rate, const T* p, T* average);

#define GLIMPSE_OPTIMIZER_KERNELS(Device, T)                                                          \
  template GradientSums gradient_sums(Device, std::int64_t, double, const T*);                        \
  template void sgd_step(Device, std::int64_t, const SgdStep&, const Clip&, T*, T*, T*);              \
  template void rmsprop_step(Device, std::int64_t, const RmsPropStep&, const Clip&, T*, T*, T*, T*);  \
  template void adam_step(Device, std::int64_t, const AdamStep&, const Clip&, T*, T*, T*, T*, bf16*); \
  template void move_average(Device, std::int64_t, double, const T*, T*);

}  // namespace glimpse::kernels
