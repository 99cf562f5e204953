#pragma once
// Cross-entropy of softmax(logits) against target words, row by row, without storing the probabilities.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// What a row's target distribution is: (1 - smoothing) at its target plus smoothing / V everywhere; rows whose target
/// is `ignore_index` have none. Every other target lies in [0,V).
struct CrossEntropyTargets {
  const std::int32_t* target = nullptr;  // (N)
  std::int32_t ignore_index = -1;
  double smoothing = 0;
};

/// loss[r] = -sum over v of q[r,v] log softmax(logits[r])[v], 0 for ignored rows; log_sum_exp[r] is kept for the
/// backward pass. logits (N,V); log_sum_exp, loss (N).
template <class T>
void cross_entropy_forward(Cpu, std::int64_t n, std::int64_t v, const T* logits, CrossEntropyTargets targets,
                           double* log_sum_exp, double* loss);
template <class T>
void cross_entropy_forward(Cuda, std::int64_t n, std::int64_t v, const T* logits, CrossEntropyTargets targets,
                           double* log_sum_exp, double* loss);

/// dlogits = scale dloss[0] (softmax(logits) - q), 0 in ignored rows.
template <class T>
struct CrossEntropyBackward {
  std::int64_t n = 0, v = 0;  // N, V
  const T* logits = nullptr;  // (N,V)
  CrossEntropyTargets targets;
  const double* log_sum_exp = nullptr;  // (N)
  double scale = 1;
  const T* dloss = nullptr;  // (1)
  T* dlogits = nullptr;      // (N,V), may be logits
};
template <class T>
void cross_entropy_backward(Cpu, const CrossEntropyBackward<T>& call);
template <class T>
void cross_entropy_backward(Cuda, const CrossEntropyBackward<T>& call);

#define GLIMPSE_CROSS_ENTROPY_KERNELS(Device, T)                                                                  \
  template void cross_entropy_forward(Device, std::int64_t, std::int64_t, const T*, CrossEntropyTargets, double*, \
                                      double*);                                                                   \
  template void cross_entropy_backward(Device, const CrossEntropyBackward<T>&);

}  // namespace glimpse::kernels
