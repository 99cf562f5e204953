#include "training_batches.h"

#include <unordered_map>

#include "glimpse/kernels/base/check.h"

namespace glimpse::tools {

TrainingBatches::TrainingBatches(const Source& source, const Config& config, BatchSampler::State start)
    : source_(source),
      images_(source.examples.split_or_fail("train")),
      max_words_(config.data.max_words),
      sampler_(caption_lengths(images_, max_words_), config.training.batch,
               static_cast<std::uint64_t>(config.training.seed),
               config.training.grouping == "image" ? Grouping::by_image : Grouping::by_length),
      captions_(sampler_.captions()),
      batches_per_epoch_(sampler_.batches_per_epoch()) {
  if (source_.cache != nullptr)
    for (const CaptionedImage* image : images_) cache_rows_.push_back(source_.cache->row(image->filename));
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
    const CaptionedImage& image = *images_[static_cast<std::size_t>(item.image)];
    captions.push_back(source_.vocabulary.encode(image.captions[static_cast<std::size_t>(item.caption)], max_words_));
  }
  TrainingBatch result;
  result.tokens = make_token_batch(captions);
  result.next = batch.next;
  result.last = batch.last;
  std::vector<std::size_t> image_of_row;
  for (const std::int64_t r : result.tokens.order)
    image_of_row.push_back(static_cast<std::size_t>(batch.items[static_cast<std::size_t>(r)].image));
  if (source_.cache != nullptr) {
    std::vector<std::int64_t> rows;
    for (const std::size_t image : image_of_row) rows.push_back(cache_rows_[image]);
    result.features = source_.cache->gather(rows);
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
  result.pixels = source_.examples.pixels(unique, source_.preprocessing, source_.device);
  result.pixel_index = from(index);
  return result;
}

}  // namespace glimpse::tools
