#pragma once
// What is left of a network when only its result counts: fewer, larger steps on buffers that are used again and again.
// Pure data; models/encoder/frozen_encoder.h carries it out.

#include <vector>

#include "glimpse/kernels/convolution.h"
#include "glimpse/kernels/inference/blocked.h"
#include "glimpse/models/encoder/network.h"

namespace glimpse {

/// The channels of a buffer from `first` on.
struct Place {
  int buffer = -1;
  std::int64_t first = 0;
};

/// y = step of x (and of x2).
struct InferenceStep {
  /// affine: x scale + shift per channel. multiply: x times the cell of x2. copy: x itself.
  enum class Kind { convolution, affine, layer_norm, max_pool, avg_pool, adaptive_average, add, multiply, copy };
  Kind kind = Kind::copy;
  Place x, x2, y;
  FeatureShape in, out;
  kernels::Nonlinearity function{};   ///< applied to convolution, affine, add and multiply
  kernels::ConvolutionShape shape{};  ///< of a convolution of one image
  std::vector<float> weight;          ///< of a convolution (o,c/groups,kh,kw), a layer norm; of affine, the scale
  std::vector<float> bias;            ///< of a convolution, a layer norm; of affine, the shift
  double eps = 0;                     ///< of a layer norm
  bool accumulate = false;            ///< a convolution that adds to what is in y
  PoolOptions pool{};
};

/// Memory for one image's features, needed from step `begin` to step `end`, both included.
struct InferenceBuffer {
  FeatureShape shape;
  bool plain = false;  ///< (C,H,W), else in blocks of channels
  int begin = -1, end = -1;
};

struct InferencePlan {
  std::vector<InferenceStep> steps;
  std::vector<InferenceBuffer> buffers;  ///< buffer 0 is the image
  Place result;
  FeatureShape shape;  ///< of the result
};

/// Folds batch norms that follow a convolution into its weights, lets convolutions apply the activation and add the
/// shortcut that follow them, and places what is joined later side by side from the start (where its first channel is a
/// multiple of `block`). The network's weights are copied.
InferencePlan plan_inference(const Network& network, std::int64_t block);

/// Offsets in bytes of all buffers of one image in one arena, such that no two that are alive at the same step overlap;
/// the last number is the arena's size. All are multiples of 64.
std::vector<std::int64_t> lay_out(const std::vector<InferenceBuffer>& buffers, std::int64_t block);

}  // namespace glimpse
