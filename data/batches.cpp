#include "glimpse/data/batches.h"

#include <algorithm>
#include <numeric>

#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// An epoch has a stream of its own: no draw of another epoch is needed to know it.
Generator epoch_generator(std::uint64_t seed, std::int64_t epoch) {
  return Generator(Generator::State{seed, static_cast<std::uint64_t>(epoch) << 32});
}

template <class T>
void shuffle(std::vector<T>& values, Generator& random) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random.below(i)]);
}

}  // namespace

BatchSampler::BatchSampler(std::vector<std::vector<std::int32_t>> lengths, std::int64_t batch_size, std::uint64_t seed,
                           Grouping grouping, double jitter)
    : lengths_(std::move(lengths)), batch_size_(batch_size), seed_(seed), grouping_(grouping), jitter_(jitter) {
  check(batch_size >= 1, "batches: batch size {}, expected at least 1", batch_size);
  check(jitter >= 0, "batches: jitter {}, expected at least 0", jitter);
  for (const auto& image : lengths_) captions_ += static_cast<std::int64_t>(image.size());
  check(captions_ > 0, "batches: {} images without a caption", lengths_.size());
}

std::int64_t BatchSampler::batches_per_epoch() const { return (captions_ + batch_size_ - 1) / batch_size_; }

void BatchSampler::set_state(State state) {
  check(state.epoch >= 0 && state.position >= 0 && state.position < batches_per_epoch(),
        "batches: no batch {} in epoch {}, an epoch has {}", state.position, state.epoch, batches_per_epoch());
  state_ = state;
}

std::vector<CaptionIndex> BatchSampler::order_by_length(std::int64_t epoch) const {
  struct Entry {
    double key;
    CaptionIndex index;
  };
  std::vector<Entry> entries;
  Generator random = epoch_generator(seed_, epoch);
  for (std::size_t i = 0; i < lengths_.size(); ++i)
    for (std::size_t c = 0; c < lengths_[i].size(); ++c)
      // Even without jitter the fraction decides among equals, so that their batches differ from epoch to epoch.
      entries.push_back({lengths_[i][c] + std::max(jitter_, 0.5) * random.uniform(),
                         {static_cast<std::int32_t>(i), static_cast<std::int32_t>(c)}});
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
  std::vector<CaptionIndex> order;
  for (const Entry& entry : entries) order.push_back(entry.index);
  return order;
}

std::vector<CaptionIndex> BatchSampler::order_by_image(std::int64_t epoch) const {
  std::vector<std::int32_t> images(lengths_.size());
  std::iota(images.begin(), images.end(), 0);
  Generator random = epoch_generator(seed_, epoch);
  shuffle(images, random);
  std::vector<CaptionIndex> order;
  for (const std::int32_t image : images)
    for (std::size_t c = 0; c < lengths_[image].size(); ++c) order.push_back({image, static_cast<std::int32_t>(c)});
  return order;
}

void BatchSampler::prepare(std::int64_t epoch) {
  if (epoch == prepared_epoch_) return;
  order_ = grouping_ == Grouping::by_length ? order_by_length(epoch) : order_by_image(epoch);
  batch_order_.resize(batches_per_epoch());
  std::iota(batch_order_.begin(), batch_order_.end(), 0);
  Generator random = epoch_generator(~seed_, epoch);
  shuffle(batch_order_, random);
  prepared_epoch_ = epoch;
}

std::vector<CaptionIndex> BatchSampler::batch(State state) {
  check(state.epoch >= 0 && state.position >= 0 && state.position < batches_per_epoch(),
        "batches: no batch {} in epoch {}, an epoch has {}", state.position, state.epoch, batches_per_epoch());
  prepare(state.epoch);
  const std::int64_t number = batch_order_[state.position];
  const auto begin = order_.begin() + number * batch_size_;
  return {begin, begin + std::min(batch_size_, captions_ - number * batch_size_)};
}

BatchSampler::Batch BatchSampler::next() {
  Batch result;
  result.items = batch(state_);
  result.state = state_;
  result.last = state_.position + 1 == batches_per_epoch();
  result.next = result.last ? State{state_.epoch + 1, 0} : State{state_.epoch, state_.position + 1};
  state_ = result.next;
  return result;
}

std::vector<std::vector<std::int32_t>> caption_lengths(const std::vector<const CaptionedImage*>& images,
                                                       std::int64_t max_words) {
  std::vector<std::vector<std::int32_t>> lengths;
  for (const CaptionedImage* image : images) {
    std::vector<std::int32_t>& row = lengths.emplace_back();
    for (const auto& caption : image->captions) {
      const std::int64_t words = static_cast<std::int64_t>(caption.size());
      row.push_back(static_cast<std::int32_t>(max_words > 0 ? std::min(words, max_words) : words));
    }
  }
  return lengths;
}

std::vector<std::vector<std::int32_t>> image_batches(std::int64_t count, std::int64_t batch_size) {
  check(batch_size >= 1, "batches: batch size {}, expected at least 1", batch_size);
  std::vector<std::vector<std::int32_t>> batches;
  for (std::int64_t begin = 0; begin < count; begin += batch_size) {
    std::vector<std::int32_t>& batch = batches.emplace_back();
    for (std::int64_t i = begin; i < std::min(begin + batch_size, count); ++i)
      batch.push_back(static_cast<std::int32_t>(i));
  }
  return batches;
}

}  // namespace glimpse
