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
  TrainingBatch result;
  result.tokens = make_token_batch(captions);
  std::vector<std::size_t> image_of_row;
  for (const std::int64_t r : result.tokens.order)
    image_of_row.push_back(static_cast<std::size_t>(batch.items[r].image));
  if (cache_ != nullptr) {
    std::vector<std::int64_t> rows;
    for (const std::size_t image : image_of_row) rows.push_back(cache_rows_[image]);
    result.features = cache_->gather(rows);
    return result;
  }
  ImageList unique;
  std::vector<std::int32_t> index;
  std::unordered_map<std::size_t, std::int32_t> seen;
  for (const std::size_t image : image_of_row) {
    const auto [entry, is_new] = seen.try_emplace(image, static_cast<std::int32_t>(unique.size()));
    if (is_new) unique.push_back(images_[image]);
    index.push_back(entry->second);
  }
  result.pixels = pixels_of(dataset_, unique, model_.preprocessing, model_.device());
  result.pixel_index = from_vector(index);
  return result;
}

}  // namespace glimpse
