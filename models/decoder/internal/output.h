#pragma once
// The output layer and its loss over all words of a batch as one op.

#include "glimpse/engine/layers.h"
#include "glimpse/models/decoder/decoder.h"

namespace glimpse {

struct OutputLoss {
  Tensor mean;    ///< mean cross-entropy of the targets, a differentiable scalar
  Tensor losses;  ///< (N) f64, of each word
  Hits hits;      ///< if counted
};

struct OutputTargets {
  Tensor words;    ///< (N) i32 in [0,V)
  Tensor weights;  ///< (N) f64, by which each enters the mean; undefined: 1
  double label_smoothing = 0;
};

/// cross_entropy(layer(x), targets), x (N,K). The logits (N,V) are written once; the backward pass turns them into
/// their gradient where they lie.
OutputLoss output_loss(const Linear& layer, const Tensor& x, const OutputTargets& targets, bool count_hits);

/// The loss of each word, (N) f64 without gradient, from logits (N,V).
Tensor token_losses(const Tensor& logits, const Tensor& targets, double label_smoothing = 0);

/// How many targets (N) i32 are the largest, and among the five largest, of their row of logits (N,V); of equal logits
/// the lower id counts first.
Hits count_hits(const Tensor& logits, const Tensor& targets);

}  // namespace glimpse
