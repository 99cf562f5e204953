#pragma once
// What a caption decoder is made of. A recipe is a set of these values; they are stored in the model file.

#include <array>
#include <cstdint>

#include "glimpse/engine/ops.h"
#include "glimpse/kernels/base/choice.h"

namespace glimpse {

/// How the decoder looks at the image.
enum class AttentionKind {
  soft,      ///< a weighted mean of all locations at each word (Show, Attend and Tell, arXiv 1502.03044, eq. 13)
  hard,      ///< one location at each word, drawn in training (the same paper, 4.1, eq. 7-12)
  sentinel,  ///< after the LSTM, over all locations and a visual sentinel (adaptive attention, arXiv 1612.01887)
  none       ///< the mean feature is read once, as the LSTM's input before `<start>` (Show and Tell, arXiv 1411.4555,
             ///< eq. 10-12)
};
constexpr auto choices(AttentionKind) {
  return std::array{Choice{AttentionKind::soft, "soft"}, Choice{AttentionKind::hard, "hard"},
                    Choice{AttentionKind::sentinel, "sentinel"}, Choice{AttentionKind::none, "none"}};
}

/// What a decoder with hard attention reads when it writes captions.
enum class HardContext {
  expected,  ///< the mean of all locations by alpha, as soft attention does
  argmax     ///< the likeliest location
};
constexpr auto choices(HardContext) {
  return std::array{Choice{HardContext::expected, "expected"}, Choice{HardContext::argmax, "argmax"}};
}

/// The gate beta of the context (paper, 4.2.1); a sentinel needs none.
enum class GateKind {
  scalar,  ///< one value in all (paper)
  vector   ///< one value a channel (tutorial)
};
constexpr auto choices(GateKind) {
  return std::array{Choice{GateKind::scalar, "scalar"}, Choice{GateKind::vector, "vector"}};
}

/// What the logits are made from.
enum class OutputLayer {
  deep,   ///< tanh(L_h h + E y + L_z z) (paper eq. 7)
  linear  ///< h (tutorial); with a sentinel h + z (arXiv 1612.01887, eq. 5)
};
constexpr auto choices(OutputLayer) {
  return std::array{Choice{OutputLayer::deep, "deep"}, Choice{OutputLayer::linear, "linear"}};
}

/// How h0 and c0 come from the mean feature.
enum class InitialState {
  tanh,   ///< tanh of a two-layer perceptron (paper)
  linear  ///< one linear layer each (tutorial)
};
constexpr auto choices(InitialState) {
  return std::array{Choice{InitialState::tanh, "tanh"}, Choice{InitialState::linear, "linear"}};
}

/// How weights are drawn.
enum class WeightInit {
  tutorial,  ///< embedding and output weight uniform in +-0.1, output bias 0; all else uniform in +-1/sqrt(inputs)
             ///< (PyTorch)
  paper      ///< square matrices (and the four of weight_hh) orthogonal, other weights from N(0, 0.01^2), biases 0
};
constexpr auto choices(WeightInit) {
  return std::array{Choice{WeightInit::tutorial, "tutorial"}, Choice{WeightInit::paper, "paper"}};
}

/// Where the output bias starts.
enum class OutputBias {
  log_frequency,  ///< at the log frequency of each word, so that training begins with a unigram model
  zero
};
constexpr auto choices(OutputBias) {
  return std::array{Choice{OutputBias::log_frequency, "log-frequency"}, Choice{OutputBias::zero, "zero"}};
}

/// Sizes and choices. The defaults are the well-known PyTorch tutorial's; paper_decoder() gives the paper's.
struct DecoderConfig {
  std::int64_t vocabulary = 0;  ///< V; from the data, not part of a recipe
  std::int64_t channels = 0;    ///< C, width of a feature; from the encoder, not part of a recipe
  AttentionKind attention = AttentionKind::soft;
  std::int64_t projection = 0;          ///< features are first projected to so many values, with a relu; 0: as they are
  std::int64_t embedding = 512;         ///< E
  std::int64_t attention_size = 512;    ///< A
  std::int64_t hidden = 512;            ///< H
  Activation score = Activation::relu;  ///< inside the scores: relu (tutorial) or tanh (paper)
  GateKind gate = GateKind::vector;
  OutputLayer output = OutputLayer::linear;
  InitialState initial_state = InitialState::linear;
  WeightInit weights = WeightInit::tutorial;
  OutputBias output_bias = OutputBias::log_frequency;
  /// Probability of zeroing, while training, the elements of: h before the output (both); the tanh before the logits
  /// (deep output only); the hidden layer of the initial state (tanh only). Never inside the recurrence.
  double dropout = 0.5;
  double projection_dropout = 0;  ///< the same of the projected features
  double embedding_dropout = 0;   ///< the same of the words that are read
  bool tied = false;              ///< the output layer's weight is the embedding's (arXiv 1608.05859)

  /// D, width of what is attended to.
  std::int64_t context_size() const { return projection > 0 ? projection : channels; }
  bool attends() const { return attention != AttentionKind::none; }
  /// Whether what is attended to before a step is an input of the LSTM.
  bool context_in_lstm() const { return attention == AttentionKind::soft || is_hard(); }
  bool is_hard() const { return attention == AttentionKind::hard; }
  bool has_sentinel() const { return attention == AttentionKind::sentinel; }
  bool deep_output() const { return output == OutputLayer::deep; }
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
  config.score = Activation::tanh;
  config.gate = GateKind::scalar;
  config.output = OutputLayer::deep;
  config.initial_state = InitialState::tanh;
  config.weights = WeightInit::paper;
  return config;
}

/// Throws Error naming the value for a size below 1, a dropout outside [0,1), and tied weights of different widths.
void check_config(const DecoderConfig& config);

}  // namespace glimpse
