#pragma once
// Where a training run stands, in one safetensors file: enough to go on as if it had never stopped, bit for bit.

#include <cstdint>
#include <string>
#include <vector>

#include "glimpse/engine/module.h"
#include "glimpse/engine/random.h"
#include "glimpse/engine/schedule.h"

namespace glimpse {

/// Hashes of what a run is made from.
struct RunInputs {
  std::string captions;  ///< names, splits, captions and the vocabulary
  std::string images;    ///< images_hash of all images
  std::string weights;   ///< the pretrained encoder's file; "" where there is none
  std::string init;      ///< the model file that it began with; "" where there is none
};

/// Everything but tensors. Steps and epochs count from 0; `epoch` and `position` name the batch that comes next.
struct TrainingState {
  std::int64_t step = 0;
  std::int64_t epoch = 0;
  std::int64_t position = 0;  ///< batches of the epoch that are done
  bool finished = false;      ///< nothing is left to do: the last epoch, or stopped early
  Generator::State dropout;
  double baseline = 0;  ///< of hard attention
  PlateauDecay::State plateau;
  double best_score = -1;
  std::int64_t best_epoch = -1;
  std::int64_t stale_epochs = 0;  ///< since the best one
  double loss_sum = 0;            ///< of this epoch: cross-entropy, summed over words
  std::int64_t loss_words = 0;
  std::int64_t skipped_steps = 0;  ///< steps whose gradient was not finite
  double seconds = 0;              ///< of training so far
  std::int64_t log_bytes = 0;      ///< length of log.jsonl
  RunInputs inputs;
};

struct Checkpoint {
  TrainingState state;
  std::vector<NamedTensor> tensors;  ///< weights and optimizer state, under the names they were written with
};

/// Writes the file in one instant (temporary name, rename).
void write_checkpoint(const std::string& path, const TrainingState& state, const std::vector<NamedTensor>& tensors);
/// Reads it; the tensors lie on the mapped file. Throws Error for a file that is no checkpoint.
Checkpoint read_checkpoint(const std::string& path);

/// `tensors` with `prefix` put before each name; and those of `tensors` whose name begins with it, the prefix removed.
std::vector<NamedTensor> with_prefix(const std::string& prefix, std::vector<NamedTensor> tensors);
std::vector<NamedTensor> under_prefix(const std::string& prefix, const std::vector<NamedTensor>& tensors);

}  // namespace glimpse
