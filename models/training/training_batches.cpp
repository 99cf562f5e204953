#include "glimpse/models/training/training_batches.h"

#include <algorithm>
#include <map>
#include <utility>

#include "glimpse/kernels/base/check.h"
#include "glimpse/models/captioner/features.h"

namespace glimpse {

namespace {

/// What the sampler cuts into batches: the captions of each image, or where captions are drawn, the images.
std::vector<std::vector<std::int32_t>> lengths_of(const Config& config, const ImageList& images) {
  if (!config.is_self_critical()) return caption_lengths(images, config.data.max_words);
  return std::vector<std::vector<std::int32_t>>(images.size(), {1});
}

/// In those. A batch of drawn captions has as many captions as one of true ones.
std::int64_t batch_size(const Config& config) {
  return config.is_self_critical() ? std::max(config.training.batch / config.self_critical.samples, 1)
                                   : config.training.batch;
}

}  // namespace

std::int64_t TrainingBatches::in_pass(const Config& config, const ImageList& images) {
  return BatchSampler(lengths_of(config, images), batch_size(config), 0).batches_per_epoch();
}

TrainingBatches::TrainingBatches(const CaptionModel& model, const Dataset& dataset, const FeatureCache* cache,
                                 BatchSampler::State start)
    : model_(model),
      dataset_(dataset),
      cache_(cache),
      images_(dataset.require_split("train")),
      sampler_(lengths_of(model.config, images_), batch_size(model.config),
               static_cast<std::uint64_t>(model.config.training.seed), model.config.training.grouping),
      view_of_(model.config, images_, dataset.captions().rule) {
  const int views = model.config.data.views;
  check(cache_ == nullptr || cache_->views() >= views, "training batches: the feature cache has {} views, not {}",
        cache_ == nullptr ? 0 : cache_->views(), views);
  if (cache_ != nullptr) {
    for (const CaptionedImage* image : images_) cache_rows_.push_back(cache_->row(image->filename));
    store_ = ResidentFeatures::of(*cache_, model_.device());
  }
  sampler_.set_state(start);
  queue_ = std::make_unique<Prefetch<TrainingBatch>>([this] { return std::optional(make(sampler_.next())); });
}

TrainingBatch TrainingBatches::next() {
  std::optional<TrainingBatch> batch = queue_->next();
  check(batch.has_value(), "training batches: the sampler has ended");
  return std::move(*batch);
}

/// The captions of a batch.
std::vector<CaptionIndex> TrainingBatches::items_of(const BatchSampler::Batch& batch) const {
  if (!model_.config.is_self_critical()) return batch.items;
  std::vector<CaptionIndex> items;
  for (const CaptionIndex& item : batch.items)
    for (std::size_t c = 0; c < images_[item.image]->captions.size(); ++c)
      items.push_back({item.image, static_cast<std::int32_t>(c)});
  return items;
}

TrainingBatch TrainingBatches::make(const BatchSampler::Batch& batch) const {
  const std::vector<CaptionIndex> items = items_of(batch);
  std::vector<std::vector<std::int32_t>> captions;
  for (const CaptionIndex& item : items) {
    const CaptionedImage& image = *images_[item.image];
    captions.push_back(model_.vocabulary.encode(image.captions[item.caption], model_.config.data.max_words));
  }
  TrainingBatch result;
  std::vector<std::int64_t> image, rows;
  std::map<std::pair<std::int32_t, int>, std::int64_t> seen;
  for (const CaptionIndex& item : items) {
    const int view = view_of_(batch.state.epoch, item);
    const auto [entry, is_new] = seen.try_emplace({item.image, view}, std::ssize(seen));
    image.push_back(entry->second);
    if (!is_new) continue;
    result.images.push_back(images_[item.image]);
    result.views.push_back(view);
    if (cache_ != nullptr) rows.push_back(cache_->row_of_view(cache_rows_[item.image], view));
  }
  result.tokens = make_token_batch(captions, image);
  result.store = store_;
  if (store_)
    result.tokens.stored = from_vector(std::vector<std::int32_t>(rows.begin(), rows.end()));
  else if (cache_ != nullptr)
    result.features = cache_->gather(rows);
  else
    result.pixels = pixels_of(dataset_, result.images, model_.preprocessing, model_.device(), result.views);
  return result;
}

}  // namespace glimpse
