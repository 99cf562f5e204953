#pragma once
// Cross-entropy of softmax(logits) against target words, row by row, without storing the probabilities.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// What a row's target distribution is: (1 - smoothing) at its target plus smoothing / V everywhere; rows whose target
/// is `ignore_index` have none. Every other target lies in [0,V).
struct CrossEntropyTargets {
  const std::int32_t* target;  // (N)
  std::int32_t ignore_index;
  double smoothing;
};

/// loss[r] = -sum over v of q[r,v] log softmax(logits[r])[v], 0 for ignored rows; log_sum_exp[r] is kept for the
/// backward pass. logits (N,V); log_sum_exp, loss (N).
template <class T>
void cross_entropy_forward(Cpu, std::int64_t n, std::int64_t v, const T* logits, CrossEntropyTargets targets,
                           double* log_sum_exp, double* loss);
template <class T>
void cross_entropy_forward(Cuda, std::int64_t n, std::int64_t v, const T* logits, CrossEntropyTargets targets,
                           double* log_sum_exp, double* loss);

/// dlogits = scale dloss[0] (softmax(logits) - q), 0 in ignored rows. dlogits (N,V) may be logits.
template <class T>
void cross_entropy_backward(Cpu, std::int64_t n, std::int64_t v, const T* logits, CrossEntropyTargets targets,
                            const double* log_sum_exp, double scale, const T* dloss, T* dlogits);
template <class T>
void cross_entropy_backward(Cuda, std::int64_t n, std::int64_t v, const T* logits, CrossEntropyTargets targets,
                            const double* log_sum_exp, double scale, const T* dloss, T* dlogits);

}  // namespace glimpse::kernels
