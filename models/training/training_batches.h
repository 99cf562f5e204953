#pragma once
// Batches of captions and what belongs to them, made ready on a second thread.

#include <cstdint>
#include <memory>
#include <vector>

#include "glimpse/data/batches.h"
#include "glimpse/data/dataset.h"
#include "glimpse/data/feature_cache.h"
#include "glimpse/data/prefetch.h"
#include "glimpse/models/captioner/model.h"
#include "glimpse/models/decoder/token_batch.h"
#include "glimpse/models/training/resident_features.h"
#include "glimpse/models/training/view_choice.h"

namespace glimpse {

struct TrainingBatch {
  TokenBatch tokens;
  Tensor features;  ///< (I,L,D) f32 of the batch's images, each view of one once: what a cache of the encoder's
                    ///< frozen part holds
  std::shared_ptr<const ResidentFeatures> store;  ///< instead: it holds them, in rows tokens.stored
  Tensor pixels;                                  ///< (I,3,S,S), where there is no cache
  ImageList images;                               ///< (I)
  std::vector<int> views;                         ///< (I) in which of its views each is seen (data/image_views.h)
};

class TrainingBatches {
 public:
  /// Batches of split "train" as model.config says, from `start` on, without end. With a cache they hold features, else
  /// pixels on the model's device. On a GPU whose memory has room for the features of the cache they are sent there
  /// once (ResidentFeatures). All references must outlive this. Throws Error where there is nothing to train on, and
  /// for a cache of fewer views than there are to train on.
  TrainingBatches(const CaptionModel& model, const Dataset& dataset, const FeatureCache* cache = nullptr,
                  BatchSampler::State start = {});

  /// Batches in one pass over the training images.
  static std::int64_t in_pass(const Config& config, const ImageList& images);

  TrainingBatch next();
  /// Of features that lie in a GPU's memory.
  std::size_t resident_bytes() const { return store_ ? store_->bytes() : 0; }
  /// Seconds that next() has waited for data so far.
  double wait_seconds() const { return queue_->wait_seconds(); }

 private:
  std::vector<CaptionIndex> items_of(const BatchSampler::Batch& batch) const;
  TrainingBatch make(const BatchSampler::Batch& batch) const;

  const CaptionModel& model_;
  const Dataset& dataset_;
  const FeatureCache* cache_;
  std::shared_ptr<const ResidentFeatures> store_;
  ImageList images_;
  std::vector<std::int64_t> cache_rows_;
  BatchSampler sampler_;
  ViewChoice view_of_;
  std::unique_ptr<Prefetch<TrainingBatch>> queue_;
};

}  // namespace glimpse
