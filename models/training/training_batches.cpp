#include "glimpse/models/training/training_batches.h"

#include <unordered_map>

#include "glimpse/kernels/base/check.h"
#include "glimpse/models/captioner/features.h"

namespace glimpse {

TrainingBatches::TrainingBatches(const CaptionModel& model, const Dataset& dataset, const FeatureCache* cache,
                                 BatchSampler::State start)
    : model_(model),
      dataset_(dataset),
      cache_(cache),
      images_(dataset.require_split("train")),
      sampler_(caption_lengths(images_, model.config.data.max_words), model.config.training.batch,
               static_cast<std::uint64_t>(model.config.training.seed), model.config.training.grouping) {
  if (cache_ != nullptr)
    for (const CaptionedImage* image : images_) cache_rows_.push_back(cache_->row(image->filename));
  sampler_.set_state(start);
  queue_ = std::make_unique<Prefetch<TrainingBatch>>([this] { return std::optional(make(sampler_.next())); });
}

TrainingBatch TrainingBatches::next() {
  std::optional<TrainingBatch> batch = queue_->next();
  check(batch.has_value(), "training batches: the sampler has ended");
  return std::move(*batch);
}

TrainingBatch TrainingBatches::make(const BatchSampler::Batch& batch) const {
  std::vector<std::vector<std::int32_t>> captions;
  for (const CaptionIndex& item : batch.items) {
    const CaptionedImage& image = *images_[item.image];
    captions.push_back(model_.vocabulary.encode(image.captions[item.caption], model_.config.data.max_words));
  }
  std::vector<std::int32_t> unique;
  std::vector<std::int64_t> image;
  std::unordered_map<std::int32_t, std::int64_t> seen;
  for (const CaptionIndex& item : batch.items) {
    const auto [entry, is_new] = seen.try_emplace(item.image, std::ssize(unique));
    if (is_new) unique.push_back(item.image);
    image.push_back(entry->second);
  }
  TrainingBatch result;
  result.tokens = make_token_batch(captions, image);
  if (cache_ != nullptr) {
    std::vector<std::int64_t> rows;
    for (const std::int32_t i : unique) rows.push_back(cache_rows_[i]);
    result.features = cache_->gather(rows);
  } else {
    ImageList list;
    for (const std::int32_t i : unique) list.push_back(images_[i]);
    result.pixels = pixels_of(dataset_, list, model_.preprocessing, model_.device());
  }
  return result;
}

}  // namespace glimpse
