#pragma once
// Batches of captions and what belongs to them, made ready on a second thread.

#include <memory>
#include <optional>
#include <vector>

#include "examples.h"
#include "glimpse/data/batches.h"
#include "glimpse/data/feature_cache.h"
#include "glimpse/data/prefetch.h"
#include "glimpse/data/vocabulary.h"
#include "glimpse/models/decoder/token_batch.h"

namespace glimpse::tools {

struct TrainingBatch {
  TokenBatch tokens;
  Tensor features;     ///< (B,L,D) f32, row r belongs to row r of the tokens; undefined where the encoder is trained
  Tensor pixels;       ///< (U,3,S,S), each image of the batch once; where the encoder is trained
  Tensor pixel_index;  ///< (B) i32: the image of row r
  BatchSampler::State next;  ///< where the sampler stands after this batch
  bool last = false;         ///< of its epoch
};

class TrainingBatches {
 public:
  struct Source {
    const Examples& examples;
    const Vocabulary& vocabulary;
    const FeatureCache* cache = nullptr;  ///< none: batches hold pixels
    Preprocessing preprocessing;
    Device device = Device::cpu;  ///< of the pixels
  };

  /// Batches of split "train" as `config` says, from `start` on, without end. All references must outlive this.
  TrainingBatches(const Source& source, const Config& config, BatchSampler::State start);

  TrainingBatch next();
  std::int64_t captions() const { return captions_; }
  std::int64_t batches_per_epoch() const { return batches_per_epoch_; }
  /// Seconds that next() has waited for data so far.
  double wait_seconds() const { return queue_->wait_seconds(); }

 private:
  TrainingBatch make(const BatchSampler::Batch& batch) const;

  Source source_;
  ImageList images_;
  std::vector<std::int64_t> cache_rows_;
  std::int64_t max_words_;
  BatchSampler sampler_;
  std::int64_t captions_, batches_per_epoch_;
  std::unique_ptr<Prefetch<TrainingBatch>> queue_;
};

}  // namespace glimpse::tools
