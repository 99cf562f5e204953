#pragma once
// The decoder of Show, Attend and Tell (arXiv 1502.03044, section 3.1.2): an LSTM that writes a caption word by word
// and looks at parts of the image before each. step() is the model, composed of plain ops; loss() trains it over whole
// captions at once and equals loss_stepwise() in value and gradient.

#include <cstdint>
#include <vector>

#include "glimpse/engine/device_number.h"
#include "glimpse/engine/layers.h"
#include "glimpse/engine/module.h"
#include "glimpse/engine/random.h"
#include "glimpse/engine/tensor.h"
#include "glimpse/models/decoder/config.h"
#include "glimpse/models/decoder/token_batch.h"

namespace glimpse {

/// Over what the two parts of the loss are averaged. With B captions, N words in all (`<end>` counts), L locations:
enum class Reduction {
  paper,    ///< both a caption: 1/B sum NLL + w 1/B sum_b sum_l (1 - sum_t alpha)^2 (paper eq. 14)
  tutorial  ///< NLL a word, penalty a caption and location: 1/N sum NLL + w 1/(B L) sum_b sum_l (1 - sum_t alpha)^2
};
constexpr auto choices(Reduction) {
  return std::array{Choice{Reduction::paper, "paper"}, Choice{Reduction::tutorial, "tutorial"}};
}

struct LossOptions {
  double doubly_stochastic = 1;  ///< w: weight of the attention penalty; 0 without attention
  Reduction reduction = Reduction::tutorial;
  double label_smoothing = 0;  ///< s: the target is (1-s) one-hot + s/V
  bool train = true;           ///< dropout on, and hard attention drawn
  bool count_hits = false;     ///< fill hits
  /// While training: probability that a word is read which the decoder draws, in a pass of its own before the loss,
  /// instead of the true one (scheduled sampling, arXiv 1506.03099 and 1906.07651).
  double scheduled_sampling = 0;
  /// N and B of the averages, where the batch is a part of a larger one; 0: its own.
  std::int64_t of_tokens = 0, of_rows = 0;
  /// By which the words of each caption, in the order in which they were given, enter the cross-entropy; empty: 1.
  std::vector<double> caption_weights = {};
  // Hard attention while training (paper, 4.1).
  double sampling = 0.5;  ///< probability that a caption reads drawn locations; else the mean of all, as soft attention
  double reinforce = 1;   ///< lambda_r: weight of (log p - baseline) log p(locations), summed as -log p is
  double entropy = 0.002;  ///< lambda_e: weight of the entropy of alpha, summed so as well
  double baseline = 0;     ///< b: what log p of a caption is compared with
};

/// Words that were predicted right, given the true words before them.
struct Hits {
  std::int64_t top1 = 0;  ///< the likeliest of all
  std::int64_t top5 = 0;  ///< among the five likeliest
};

struct DecoderLoss {
  Tensor total;  ///< what is minimised, a scalar
  /// Mean -log p of a word (label smoothing included), the same under both reductions.
  DeviceNumber cross_entropy;
  DeviceNumber attention_penalty;      ///< mean of (1 - sum_t alpha)^2 over captions and locations, unweighted
  std::int64_t tokens = 0;             ///< N
  Hits hits;                           ///< if asked for
  std::int64_t sampled_captions = 0;   ///< that read drawn locations
  double sampled_log_probability = 0;  ///< mean log p of those
};

/// What all words of a caption share.
struct DecoderMemory {
  Tensor features;  ///< (B,L,D), projected if the decoder does that
  Tensor keys;      ///< (B,L,A), undefined without attention
  Tensor image;     ///< (B,E), v^g, an input of each step; sentinel only
};

struct DecoderState {
  Tensor h, c;  ///< (Q,H)
};

struct DecoderStep {
  DecoderState state;
  Tensor logits;  ///< (Q,V)
  Tensor alpha;   ///< (Q,L), undefined without attention; with a sentinel rows sum to 1 - beta
  Tensor beta;    ///< (Q,1) or (Q,D): the gate, or (Q,1) the sentinel's share; undefined without attention
};

/// Weights of the visual sentinel (Knowing When to Look, arXiv 1612.01887, eq. 9-13).
struct Sentinel {
  Linear gate_x, gate_h;  ///< W_x (H,2E), W_h (H,H), of its gate; without bias
  Linear key;             ///< W_s (A,H), with bias
  Linear context;  ///< (H,D) without bias: gives what is seen the width of the sentinel; undefined where D = H, as in
                   ///< the paper, which projects the features to that width

  void visit(Visitor& v) {
    v("gate_x", gate_x);
    v("gate_h", gate_h);
    v("key", key);
    v("context", context);
  }
};

/// Weights of the decoder under the names that stand in model files.
struct Decoder {
  DecoderConfig config;
  Linear projection;                     ///< (D,C), of the features; with config.projection only
  Embedding embedding;                   ///< E, (V,E)
  Linear key, query;                     ///< (A,D) with bias, (A,H) without (a second bias would add nothing)
  Tensor score;                          ///< (A)
  Linear gate;                           ///< (1,H) or (D,H)
  LstmCell cell;                         ///< inputs [word, gated context]; sentinel [word, image]; none [word]
  Linear image;                          ///< (E,D), of the mean feature; none: read before `<start>`; sentinel: v^g
  Sentinel sentinel;                     ///< of sentinel attention
  Linear initial, initial_h, initial_c;  ///< hidden layer (tanh_init only), then h0 and c0
  Linear deep_h, deep_context;  ///< L_h (E,H) with bias, L_z (E,D), with a sentinel (E,H), without; deep output only
  Linear output;  ///< to the V logits, from E (deep output) or H; config.tied: without a weight, see output_layer()

  Decoder() = default;
  /// Draws the weights as config.weights says. Throws Error for sizes below 1.
  explicit Decoder(const DecoderConfig& config, Generator& generator = default_generator());

  /// Starts the output bias at log relative frequency, so that training begins with a unigram model: counts (V) of each
  /// word among the training targets, each raised by one. Throws Error for another number of counts.
  void set_output_bias(const std::vector<std::int64_t>& counts);

  /// Projects features (B,L,C), and from them the keys and for a sentinel v^g, once for all words. No dropout.
  DecoderMemory remember(const Tensor& features) const;
  /// State before `<start>` is read (paper, 3.1.2).
  DecoderState start(const DecoderMemory& memory) const;
  /// `output` with the weight that it uses.
  Linear output_layer() const;
  /// Reads one word in each of Q = B q rows: rows i q .. i q + q - 1 look at image i. words (Q) i32. No dropout.
  /// `context` is what hard attention reads.
  DecoderStep step(const DecoderMemory& memory, const Tensor& words, const DecoderState& state,
                   HardContext context = HardContext::expected) const;

  /// Teacher-forced loss of a batch, word by word with step()'s ops. features (B,L,C): row r belongs to row r of the
  /// batch, that is to caption batch.order[r]; where captions share images (batch.image), (I,L,C). Dropout and
  /// locations are drawn from `generator`, the same for both losses. Throws Error for features that do not fit.
  DecoderLoss loss_stepwise(const Tensor& features, const TokenBatch& batch, Generator& generator,
                            const LossOptions& options = {}) const;
  /// Equal to loss_stepwise in value and gradient: the recurrence is one op, all else runs over all words at once.
  DecoderLoss loss(const Tensor& features, const TokenBatch& batch, Generator& generator,
                   const LossOptions& options = {}) const;
  /// log p of each caption given its image, natural logarithm, `<end>` included, in the order in which the captions
  /// were given to make_token_batch; features as for loss(). No dropout, no gradients.
  std::vector<double> log_probabilities(const Tensor& features, const TokenBatch& batch) const;

  void visit(Visitor& v);
};

}  // namespace glimpse
