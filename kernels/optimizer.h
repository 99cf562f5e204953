#pragma once
// Optimizer updates over flat buffers: clip, update and zero the gradient in one pass. T is float or double; constants
// are combined in double and rounded once. How a step goes is decided on the device, so that the host need not wait for
// the norm of the gradient.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/half.h"

namespace glimpse::kernels {

/// What a step is decided by.
struct StepRule {
  double clip_value;  ///< g enters as min(max(g, -value), value); may be infinite
  double clip_norm;   ///< largest Euclidean norm of what that leaves; 0: any
  double learning_rate;
  double beta1 = 0, beta2 = 0;  ///< of Adam's bias correction; 0: none
};

/// How a step goes; all numbers are doubles, so that a tensor (8) holds it.
struct StepDecision {
  double norm = 0;   ///< of g before clipping, summed in double in an order that depends on n alone
  double bad = -1;   ///< position of the first g that is not finite, n where only the sum of squares is not; -1: none
  double count = 0;  ///< updates done, this one included; none is done where something is bad
  double clip_value = 0;
  double scale = 1;  ///< by which the gradient is multiplied after its elements are clipped
  double learning_rate = 0;
  double rate = 0;  ///< learning rate / (1 - beta1^count)
  double root = 1;  ///< 1 / sqrt(1 - beta2^count)
};

/// Decides on a step with the gradients g (n). Of *decision, which lies on the device, only the count is read.
template <class T>
void decide_step(Cpu, std::int64_t n, const StepRule& rule, const T* g, StepDecision* decision);
template <class T>
void decide_step(Cuda, std::int64_t n, const StepRule& rule, const T* g, StepDecision* decision);

// The updates. *decision lies on the device. Where something is bad, they zero the gradient and leave all else.

struct SgdStep {
  double momentum, weight_decay;
};
/// p, g, b (n); b may be null when momentum is 0.
template <class T>
void sgd_step(Cpu, std::int64_t n, const SgdStep& step, const StepDecision* decision, T* p, T* g, T* b);
template <class T>
void sgd_step(Cuda, std::int64_t n, const SgdStep& step, const StepDecision* decision, T* p, T* g, T* b);

struct RmsPropStep {
  double alpha, eps, momentum, weight_decay;
};
/// p, g, v, b (n); b may be null when momentum is 0.
template <class T>
void rmsprop_step(Cpu, std::int64_t n, const RmsPropStep& step, const StepDecision* decision, T* p, T* g, T* v, T* b);
template <class T>
void rmsprop_step(Cuda, std::int64_t n, const RmsPropStep& step, const StepDecision* decision, T* p, T* g, T* v, T* b);

struct AdamStep {
  double beta1, beta2, eps;
  double weight_decay;     ///< added to the gradient
  double decoupled_decay;  ///< AdamW's: shrinks the parameter itself
};
/// p, g, m, v (n). copy (n), unless null, receives the new parameters in bf16: what products in bf16 read.
template <class T>
void adam_step(Cpu, std::int64_t n, const AdamStep& step, const StepDecision* decision, T* p, T* g, T* m, T* v,
               bf16* copy = nullptr);
template <class T>
void adam_step(Cuda, std::int64_t n, const AdamStep& step, const StepDecision* decision, T* p, T* g, T* m, T* v,
               bf16* copy = nullptr);

/// How an average of parameters moves after a step.
struct AverageDecision {
  double count = 0;  ///< moves done, this one included
  double rate = 0;   ///< 0: not at all, since the step was left out
};
/// rate = 1 - min(decay, (1 + t) / (10 + t)) for the t-th step that was not left out. Both decisions lie on the device.
void decide_average(Cpu, double decay, const StepDecision* step, AverageDecision* average);
void decide_average(Cuda, double decay, const StepDecision* step, AverageDecision* average);

/// average += rate (p - average), (n): an exponential moving average of parameters.
template <class T>
void move_average(Cpu, std::int64_t n, const AverageDecision* decision, const T* p, T* average);
template <class T>
void move_average(Cuda, std::int64_t n, const AverageDecision* decision, const T* p, T* average);

#define GLIMPSE_OPTIMIZER_KERNELS(Device, T)                                                                  \
  template void decide_step(Device, std::int64_t, const StepRule&, const T*, StepDecision*);                  \
  template void sgd_step(Device, std::int64_t, const SgdStep&, const StepDecision*, T*, T*, T*);              \
  template void rmsprop_step(Device, std::int64_t, const RmsPropStep&, const StepDecision*, T*, T*, T*, T*);  \
  template void adam_step(Device, std::int64_t, const AdamStep&, const StepDecision*, T*, T*, T*, T*, bf16*); \
  template void move_average(Device, std::int64_t, const AverageDecision*, const T*, T*);

}  // namespace glimpse::kernels
