#pragma once
// log.jsonl of a run: one line every few steps and one after each epoch.

#include <cstdint>
#include <string>

#include "glimpse/models/training/train_step.h"
#include "glimpse/models/training/validation.h"

namespace glimpse {

struct StepRecord {
  std::int64_t step = 0, epoch = 0;  ///< step counts from 1 over the whole run, epoch from 1
  StepResult result;
  double captions_per_s = 0;  ///< of this epoch so far
  double data_wait = 0;       ///< share of the time that training waited for batches, in [0,1]
  double seconds = 0;         ///< of the run so far
};

struct EpochRecord {
  std::int64_t epoch = 0, step = 0;
  double train_loss = 0;  ///< mean cross-entropy of a word over the epoch, dropout on
  const Validation& validation;
  bool best = false;  ///< the model was kept
  double learning_rate = 0;
  std::int64_t skipped_steps = 0;  ///< of the run: gradients that were not finite
  double captions_per_s = 0;
  std::size_t peak_tensor_bytes = 0;
  double seconds = 0;  ///< of the run so far
};

/// Lines are appended and reach the file at once. Numbers have six significant digits.
class RunLog {
 public:
  /// Cuts the file to `bytes`: what the checkpoint that is resumed from has seen; 0 starts it anew. Throws Error, also
  /// for a link or what is no regular file.
  RunLog(const std::string& path, std::int64_t bytes);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  void write(const StepRecord& record);
  void write(const EpochRecord& record);
  /// Brings what was written to the disk. Throws Error.
  void sync();
  /// Size of the file so far.
  std::int64_t bytes() const { return bytes_; }

 private:
  /// Appends a whole JSON value without line breaks.
  void write_line(const std::string& json);

  std::string path_;
  int file_ = -1;
  std::int64_t bytes_ = 0;
};

}  // namespace glimpse
