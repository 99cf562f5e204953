#pragma once
// Additive attention (Bahdanau et al., arXiv 1409.0473; Show, Attend and Tell, arXiv 1502.03044, eq. 4-6 and 13). All
// queries of an image share one read of its keys and features; the activations are computed again in the backward
// passes, so nothing of size (Q,L,A) is ever stored. f32 and f64; on CUDA also bf16, with probabilities and gradients
// of scores in f32.

#include <cstdint>

#include "glimpse/kernels/base/activation.h"
#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/half.h"

namespace glimpse::kernels {

/// Which queries look at which image. A group is an image with its queries. The arrays lie on the device of the call.
struct AttentionShape {
  std::int64_t groups = 0;
  std::int64_t locations = 0;           // L
  std::int64_t width = 0;               // A, of keys and queries
  std::int64_t channels = 0;            // D, of features
  const std::int64_t* image = nullptr;  // (groups) the image of a group; null: group g reads image g
  const std::int64_t* first = nullptr;  // (groups+1) group g has queries first[g] .. first[g+1]-1; null: query g alone
  const std::int64_t* row = nullptr;    // (queries) where a query stands in the tensors (Q,.); null: query j in row j
  std::int64_t queries = 0;             // first[groups], which CUDA needs to know on the host; not used without `first`
};

/// What is attended, and how.
template <class T>
struct AttentionInputs {
  Activation activation = Activation::tanh;
  const T* keys = nullptr;      // (B,L,A)
  const T* features = nullptr;  // (B,L,D)
  const T* score = nullptr;     // (A)
  const T* query = nullptr;     // (Q,A), rows query_stride apart
  std::int64_t query_stride = 0;
  const std::int32_t* mask = nullptr;  // (B,L) 0: nobody attends to this location; null: all may be attended to
};

/// alpha (Q,L) = softmax over l of score . f(key_l + query), context (Q,D) = sum_l alpha_l feature_l. Where the mask
/// leaves no location, alpha and context are 0. The backward passes need no mask: its locations have alpha = 0. log_sum
/// (Q), if given, is the logarithm of the sum of e^score: with it the softmax can be extended by further scores.
template <class T>
void attention_forward(Cpu, const AttentionShape& shape, const AttentionInputs<T>& inputs, Accumulator<T>* alpha,
                       T* context, Accumulator<T>* log_sum = nullptr);
template <class T>
void attention_forward(Cuda, const AttentionShape& shape, const AttentionInputs<T>& inputs, Accumulator<T>* alpha,
                       T* context, Accumulator<T>* log_sum = nullptr);

#define GLIMPSE_ATTENTION_FORWARD_KERNELS(Device, T)                                                             \
  template void attention_forward(Device, const AttentionShape&, const AttentionInputs<T>&, Accumulator<T>*, T*, \
                                  Accumulator<T>*);

/// What the backward pass through the probabilities reads and writes.
template <class T>
struct AttentionBackward {
  const Accumulator<T>* alpha = nullptr;   // (Q,L)
  const T* dcontext = nullptr;             // (Q,D)
  const Accumulator<T>* dalpha = nullptr;  // (Q,L), null for zero
  Accumulator<T>* descore = nullptr;       // (Q,L) gradients of the scores before the softmax
  T* dquery = nullptr;                     // (Q,A) gradients of the queries, rows dquery_stride apart
  std::int64_t dquery_stride = 0;
  const Accumulator<T>* dlog_sum = nullptr;  // (Q), null for zero
};
template <class T>
void attention_backward(Cpu, const AttentionShape& shape, const AttentionInputs<T>& inputs,
                        const AttentionBackward<T>& call);
template <class T>
void attention_backward(Cuda, const AttentionShape& shape, const AttentionInputs<T>& inputs,
                        const AttentionBackward<T>& call);

#define GLIMPSE_ATTENTION_BACKWARD_KERNELS(Device, T)                                        \
  template void attention_backward(Device, const AttentionShape&, const AttentionInputs<T>&, \
                                   const AttentionBackward<T>&);

/// Gradients of the keys, dkeys (B,L,A), and of the score vector, dscore (A), summed over all queries of each image at
/// once. Needs shape.image null and one group an image. `partial` is workspace (B,A), which CUDA does not use.
template <class T>
void attention_backward_keys(Cpu, const AttentionShape& shape, const AttentionInputs<T>& inputs,
                             const Accumulator<T>* descore, T* dkeys, Accumulator<T>* dscore, T* partial);
template <class T>
void attention_backward_keys(Cuda, const AttentionShape& shape, const AttentionInputs<T>& inputs,
                             const Accumulator<T>* descore, T* dkeys, Accumulator<T>* dscore, T* partial);

/// Gradient of the features, dfeatures (B,L,D) = sum over the image's queries of alpha_l dcontext. Needs what
/// attention_backward_keys needs.
template <class T>
void attention_backward_features(Cpu, const AttentionShape& shape, const Accumulator<T>* alpha, const T* dcontext,
                                 T* dfeatures);
template <class T>
void attention_backward_features(Cuda, const AttentionShape& shape, const Accumulator<T>* alpha, const T* dcontext,
                                 T* dfeatures);

#define GLIMPSE_ATTENTION_GRADIENT_KERNELS(Device, T)                                             \
  template void attention_backward_keys(Device, const AttentionShape&, const AttentionInputs<T>&, \
                                        const Accumulator<T>*, T*, Accumulator<T>*, T*);          \
  template void attention_backward_features(Device, const AttentionShape&, const Accumulator<T>*, const T*, T*);

}  // namespace glimpse::kernels
