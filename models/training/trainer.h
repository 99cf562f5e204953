#pragma once
// The training loop: steps, validation after each epoch, checkpoints, early stopping.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "glimpse/engine/schedule.h"
#include "glimpse/kernels/base/stopwatch.h"
#include "glimpse/models/captioner/observer.h"
#include "glimpse/models/training/checkpoint.h"
#include "glimpse/models/training/run_folder.h"
#include "glimpse/models/training/run_log.h"
#include "glimpse/models/training/train_step.h"
#include "glimpse/models/training/training_batches.h"
#include "glimpse/models/training/validation.h"

namespace glimpse {

/// How a run ended.
enum class Ending : std::uint8_t {
  last_epoch,
  no_better_score,
  stopped,              ///< on request; the folder holds what it needs to go on
  stopped_before_start  ///< on request, before the first step; nothing was kept
};

/// All that a trainer works on; everything must outlive it.
struct TrainerParts {
  CaptionModel& model;
  const Dataset& dataset;
  const RunFolder& folder;
  Observer& observer;
  RunInputs inputs;  ///< stand in checkpoints: a run goes on with the same only
};

class Trainer {
 public:
  /// A run at its beginning. Throws Error where there is nothing to train on or to validate with.
  explicit Trainer(const TrainerParts& parts);

  /// Goes on from folder.last(). Throws Error for a checkpoint that does not belong to this run; nothing is written.
  void resume();
  /// Trains to the end, with features from `cache` where the encoder or its beginning is frozen; leaves
  /// last.safetensors, best.safetensors and log.jsonl in the folder. Throws Error when the gradient is not finite for
  /// many steps in a row, on a GPU at the next line of the log.
  Ending run(const FeatureCache* cache = nullptr);

  const TrainingState& state() const { return state_; }
  std::int64_t batches_per_epoch() const { return batches_per_epoch_; }

 private:
  void step(std::span<const TrainingBatch> batches);
  void settle();
  std::int64_t steps_per_epoch() const;
  void train_epoch(TrainingBatches& batches);
  void end_epoch();
  void keep_if_best(const Validation& validation);
  void say_epoch(const EpochRecord& record);
  void write_last();
  std::string progress_line(double wait_share) const;
  double rate_factor() const;
  bool is_finished() const;
  double seconds() const { return seconds_before_ + watch_.seconds(); }
  const Config& config() const { return parts_.model.config; }

  TrainerParts parts_;
  const FeatureCache* cache_ = nullptr;
  TrainingState state_;
  ImageList validation_images_;
  std::int64_t batches_per_pass_ = 0, batches_per_epoch_ = 0;  // an epoch is one pass or several
  TrainStep step_;
  PlateauDecay plateau_;
  std::unique_ptr<RunLog> log_;
  Stopwatch watch_;
  double seconds_before_ = 0;  // of training, before this process
  StepResult last_;            // the latest that is known
  double captions_per_s_ = 0, validation_seconds_ = 0;
  int failed_in_a_row_ = 0;
};

}  // namespace glimpse
