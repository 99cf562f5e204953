#pragma once
// One step of optimisation, without folder, log or clock.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "glimpse/engine/optimizer.h"
#include "glimpse/engine/weight_average.h"
#include "glimpse/models/captioner/model.h"
#include "glimpse/models/training/self_critical.h"
#include "glimpse/models/training/training_batches.h"

namespace glimpse {

struct StepResult {
  double loss = 0;                 ///< mean cross-entropy of a word of the true captions, in nats
  double attention_penalty = 0;    ///< mean of (1 - sum_t alpha)^2 over captions and locations
  std::int64_t tokens = 0;         ///< words predicted
  double gradient_norm = 0;        ///< of the decoder, before clipping
  double learning_rate = 0;        ///< of the decoder
  bool updated = true;             ///< false: a gradient was not finite, and that part's weights stay as they are
  std::string not_finite;          ///< then: the first parameter with such a gradient
  std::optional<double> baseline;  ///< with hard attention: what log p was compared with
  std::optional<double> reward;    ///< self-critical: mean CIDEr-D of the captions that were drawn
  double scheduled_sampling = 0;   ///< share of the words read that the model has drawn, on average
};

/// Trains a model as its configuration says: loss, gradients, clipping, update.
class TrainStep {
 public:
  /// Makes the decoder trainable and takes the memory of all trained parameters. `model` must outlive this.
  /// Self-critical training scores what it draws among `images`, those of the training split.
  explicit TrainStep(CaptionModel& model, const ImageList& images = {});

  /// One update by a batch, with the configured learning rates times `rate_factor`. Throws Error for a batch without
  /// what the model needs: what its frozen part makes of the images, or pixels.
  StepResult operator()(const TrainingBatch& batch, double rate_factor = 1) {
    return (*this)({&batch, 1}, rate_factor);
  }
  /// The same by several batches, as if they were one.
  StepResult operator()(std::span<const TrainingBatch> batches, double rate_factor = 1);

  /// The same without the result, for which the host would have to wait for a GPU; results() has it.
  void enqueue(std::span<const TrainingBatch> batches, double rate_factor = 1);
  /// Of all steps since the last call, in their order. On a GPU they are read in one go, and the host waits then; only
  /// where captions or locations are drawn it does so in a step too.
  std::vector<StepResult> results();
  /// Whether results() would wait for nothing.
  bool has_results() const { return pending_.empty(); }

  /// Weights that change, their averages and moments of the optimizers, under the names of a checkpoint.
  std::vector<NamedTensor> tensors();
  /// Goes on from there. Throws Error, saying that they come from `path`, when they do not belong to this model.
  void load_tensors(const std::vector<NamedTensor>& tensors, const std::string& path);

  /// Exchanges the weights and their averages (training.ema); nothing where there are none.
  void swap_averages();
  /// What swap_averages() would give the model, under its names; empty where there are none.
  std::vector<NamedTensor> averages() const;

  /// Of the decoder, at the last step.
  double learning_rate() const { return parts_[0].optimizer->learning_rate(); }

  /// Where the random numbers of dropout stand.
  Generator::State dropout() const { return dropout_.state(); }
  void set_dropout(Generator::State state) { dropout_.set_state(state); }

  /// With which probability each word of the true captions is read as the model draws it (LossOptions), from the next
  /// step on. Throws Error outside of [0,1].
  void set_scheduled_sampling(double probability);

  /// Hard attention: the moving mean of log p that drawn locations are compared with (paper, 4.1).
  double baseline() const { return baseline_; }
  void set_baseline(double baseline) { baseline_ = baseline; }

 private:
  /// An optimizer and, with training.ema, the averages of its weights.
  struct Part {
    std::string name;  ///< "decoder", "encoder"
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<WeightAverage> average;
  };
  /// What is known of a step before its numbers are read, and where those will be found.
  struct Pending {
    struct Loss {
      DeviceNumbers::Place cross_entropy, attention_penalty;
      double tokens = 0, rows = 0;        // of the batch
      double of_tokens = 0, of_rows = 0;  // of all batches of the step
    };
    StepResult result;
    std::vector<Loss> losses;             // of each batch
    std::vector<std::int64_t> decisions;  // of each part
  };
  void add_part(const std::string& name, std::vector<NamedTensor> parameters, double learning_rate);
  Tensor features_of(const TrainingBatch& batch, const TokenBatch& tokens) const;
  void add_gradients(std::span<const TrainingBatch> batches, Pending& step);
  Tensor true_loss(const TokenBatch& tokens, const Tensor& features, const LossOptions& options, Pending& step);
  void update(Pending& step);
  bool waits() const;
  void settle();
  StepResult result_of(const Pending& step, const std::vector<double>& numbers) const;
  void move_baseline();
  std::vector<NamedTensor> model_tensors(const Part& part);

  CaptionModel& model_;
  std::optional<SelfCritical> self_critical_;
  std::vector<Part> parts_;  // the decoder's, and the encoder's where it is trained
  DeviceNumbers numbers_;
  std::vector<Pending> pending_;
  std::vector<StepResult> results_;
  Generator dropout_;
  double scheduled_sampling_ = 0;
  double baseline_ = 0;
  double sampled_log_p_ = 0;           // log p, summed over this step's captions that read drawn locations
  std::int64_t sampled_captions_ = 0;  // their number
};

}  // namespace glimpse
