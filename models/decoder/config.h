#pragma once
// What a caption decoder is made of. A recipe is a set of these values; they are stored in the model file.

#include <cstdint>

#include "glimpse/engine/ops.h"

namespace glimpse {

/// How the decoder looks at the image.
enum class AttentionKind {
  soft,  ///< a weighted mean of all locations at each word (Show, Attend and Tell, arXiv 1502.03044, eq. 13)
  none   ///< the mean feature is read once, as the LSTM's input before <start> (Show and Tell, arXiv 1411.4555, eq.
         ///< 10-12)
};

/// How weights are drawn.
enum class WeightInit {
  tutorial,  ///< embedding and output weight uniform in +-0.1, output bias 0; all else uniform in +-1/sqrt(inputs)
             ///< (PyTorch)
  paper      ///< square matrices (and the four of weight_hh) orthogonal, other weights from N(0, 0.01^2), biases 0
};

/// Sizes and choices. The defaults are the well-known PyTorch tutorial's; paper_decoder() gives the paper's.
struct DecoderConfig {
  std::int64_t vocabulary = 0;   ///< V
  std::int64_t channels = 0;     ///< D, width of a feature
  std::int64_t embedding = 512;  ///< E
  std::int64_t attention = 512;  ///< A
  std::int64_t hidden = 512;     ///< H
  AttentionKind kind = AttentionKind::soft;
  Activation score_activation = Activation::relu;  ///< inside the scores: relu (tutorial) or tanh (paper)
  bool vector_gate = true;   ///< gate beta of the context: one value a channel (tutorial) or one in all (paper, 4.2.1)
  bool deep_output = false;  ///< logits from tanh(L_h h + E y + L_z z) (paper eq. 7) or from h (tutorial)
  bool tanh_init =
      false;  ///< h0, c0 = tanh of a two-layer perceptron of the mean feature (paper), or linear (tutorial)
  /// Probability of zeroing, while training, the elements of: h before the output (both); the tanh before the logits
  /// (deep output only); the hidden layer of the initial state (tanh_init only). Never inside the recurrence.
  double dropout = 0.5;
  WeightInit init = WeightInit::tutorial;
};

/// The tutorial's choices: relu scores, vector gate, linear output and initial state.
inline DecoderConfig tutorial_decoder(std::int64_t vocabulary, std::int64_t channels) {
  DecoderConfig config;
  config.vocabulary = vocabulary;
  config.channels = channels;
  return config;
}

/// The paper's choices: tanh scores, scalar gate, deep output, tanh initial state, the official code's weights.
inline DecoderConfig paper_decoder(std::int64_t vocabulary, std::int64_t channels) {
  DecoderConfig config = tutorial_decoder(vocabulary, channels);
  config.score_activation = Activation::tanh;
  config.vector_gate = false;
  config.deep_output = true;
  config.tanh_init = true;
  config.init = WeightInit::paper;
  return config;
}

/// Throws Error naming the value for a size below 1 or a dropout outside [0,1).
void check_config(const DecoderConfig& config);

}  // namespace glimpse
