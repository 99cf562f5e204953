#pragma once
// The training loop: steps, validation after each epoch, checkpoints, early stopping.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evaluation.h"
#include "glimpse/engine/optimizer.h"
#include "glimpse/models/captioner/captioner.h"
#include "glimpse/models/training/checkpoint.h"
#include "progress.h"
#include "run_folder.h"
#include "training_batches.h"

namespace glimpse::tools {

/// How a run ended.
enum class Ending { last_epoch, no_better_score, stopped_by_user };

/// All that a trainer works on; everything must outlive it.
struct TrainerParts {
  Captioner& captioner;
  const Examples& examples;
  const Vocabulary& vocabulary;
  const FeatureCache* cache = nullptr;  ///< of a frozen encoder
  const RunFolder& folder;
  Progress& progress;
  std::string data_fingerprint;
};

class Trainer {
 public:
  /// A run at its beginning.
  explicit Trainer(const TrainerParts& parts);

  /// Goes on from folder.last(). Throws Error for a checkpoint that does not belong to this run.
  void resume();
  /// Trains to the end; leaves last.safetensors, best.safetensors and log.jsonl in the folder.
  Ending run();

  const TrainingState& state() const { return state_; }
  std::int64_t batches_per_epoch() const { return batches_per_epoch_; }
  /// Trained parameters.
  std::int64_t parameter_count() const;

 private:
  bool step(const TrainingBatch& batch);
  void train_epoch(TrainingBatches& batches);
  void end_epoch();
  void keep_if_best(const Validation& validation);
  void write_last();
  void log_step(double loss, double attention_penalty, double seconds, double wait);
  void log_epoch(const Validation& validation, double rate);
  void show_progress(double rate, double wait_share);
  double rate_factor() const;
  bool is_finished() const;
  std::vector<NamedTensor> checkpoint_tensors();
  const Config& config() const { return parts_.captioner.config; }

  TrainerParts parts_;
  TrainingState state_;
  ImageList validation_images_;
  std::int64_t batches_per_epoch_ = 0;
  std::unique_ptr<Optimizer> decoder_optimizer_, encoder_optimizer_;  // the second only where the encoder is trained
  Generator dropout_;
  PlateauDecay plateau_;
  std::unique_ptr<RunLog> log_;
  Stopwatch watch_;
  double seconds_before_ = 0;  // of training, before this process
  double last_loss_ = 0, last_penalty_ = 0;
  double captions_per_s_ = 0, validation_seconds_ = 0;
  int failed_in_a_row_ = 0;
};

}  // namespace glimpse::tools
