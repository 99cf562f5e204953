#include "glimpse/models/decoder/token_batch.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "glimpse/engine/internal/parcel.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/decoder/internal/image_groups.h"

namespace glimpse {

namespace {

void check_images(const std::vector<std::int64_t>& images, std::size_t captions) {
  check(images.size() == captions, "token batch: {} images for {} captions", images.size(), captions);
  std::vector<bool> seen(captions, false);
  for (const std::int64_t image : images) {
    check(image >= 0 && image < std::ssize(images), "token batch: image {} of {} captions", image, captions);
    seen[image] = true;
  }
  const auto missing = std::find(seen.begin(), seen.end(), false);
  check(std::find(missing, seen.end(), true) == seen.end(), "token batch: image {} has no caption",
        missing - seen.begin());
}

}  // namespace

TokenBatch TokenBatch::to(Device device) const {
  if (inputs.device() == device) return *this;
  TokenBatch moved = *this;
  const std::array lists{&moved.inputs,       &moved.targets,        &moved.distinct,
                         &moved.slot,         &moved.row_of_token,   &moved.state_before,
                         &moved.image_of_row, &moved.image_of_token, &moved.stored};
  if (device == Device::cpu) {
    moved.groups = nullptr;
    for (Tensor* list : lists)
      if (list->defined()) *list = list->to(device);
    return moved;
  }
  Parcel parcel;
  std::vector<std::pair<Tensor*, std::size_t>> places;
  for (Tensor* list : lists)
    if (list->defined()) places.emplace_back(list, parcel.add(list->raw(), list->bytes()));
  moved.groups = std::make_shared<ImageGroups>(*this, parcel);
  parcel.send(device);
  for (const auto& [list, at] : places) *list = parcel.integers(at, list->numel());
  return moved;
}

std::int64_t TokenBatch::images() const {
  return image.empty() ? rows() : 1 + *std::max_element(image.begin(), image.end());
}

TokenBatch with_inputs(TokenBatch batch, const std::vector<std::int32_t>& inputs) {
  check(std::ssize(inputs) == batch.tokens(), "token batch: {} inputs for {} words", inputs.size(), batch.tokens());
  const Device device = batch.targets.device();
  std::vector<std::int32_t> distinct = inputs, slot;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  check(distinct.empty() || distinct[0] >= 0, "token batch: input {}", distinct.empty() ? 0 : distinct[0]);
  for (const std::int32_t word : inputs)
    slot.push_back(
        static_cast<std::int32_t>(std::lower_bound(distinct.begin(), distinct.end(), word) - distinct.begin()));
  if (!distinct.empty()) batch.least_vocabulary = std::max<std::int64_t>(batch.least_vocabulary, 1 + distinct.back());
  batch.inputs = from_vector(inputs).to(device);
  batch.distinct = from_vector(distinct).to(device);
  batch.slot = from_vector(slot).to(device);
  return batch;
}

TokenBatch make_token_batch(const std::vector<std::vector<std::int32_t>>& captions,
                            const std::vector<std::int64_t>& images) {
  check(!captions.empty(), "token batch: no captions");
  for (std::size_t i = 0; i < captions.size(); ++i) {
    check(captions[i].size() >= 2, "token batch: caption {} has {} words; <start> and <end> are needed", i,
          captions[i].size());
    for (const std::int32_t word : captions[i]) check(word >= 0, "token batch: caption {} has word {}", i, word);
  }
  TokenBatch batch;
  for (const auto& words : captions)
    batch.least_vocabulary =
        std::max<std::int64_t>(batch.least_vocabulary, 1 + *std::max_element(words.begin(), words.end()));
  batch.order.resize(captions.size());
  std::iota(batch.order.begin(), batch.order.end(), 0);
  const auto caption = [&](std::int64_t row) -> const std::vector<std::int32_t>& { return captions[row]; };
  std::stable_sort(batch.order.begin(), batch.order.end(),
                   [&](std::int64_t a, std::int64_t b) { return caption(a).size() > caption(b).size(); });

  if (!images.empty()) {
    check_images(images, captions.size());
    for (const std::int64_t i : batch.order) batch.image.push_back(images[i]);
  }
  const std::size_t steps = caption(batch.order[0]).size() - 1;
  std::vector<std::int32_t> inputs, targets, row_of_token, image_of_token, state_before;
  batch.offset.push_back(0);
  for (std::size_t t = 0; t < steps; ++t) {
    std::int64_t rows = 0;
    for (; rows < batch.rows() && caption(batch.order[rows]).size() > t + 1; ++rows) {
      inputs.push_back(caption(batch.order[rows])[t]);
      targets.push_back(caption(batch.order[rows])[t + 1]);
      row_of_token.push_back(static_cast<std::int32_t>(rows));
      state_before.push_back(static_cast<std::int32_t>(t == 0 ? rows : batch.rows() + batch.offset[t - 1] + rows));
      image_of_token.push_back(static_cast<std::int32_t>(batch.image_of(rows)));
    }
    batch.active.push_back(rows);
    batch.offset.push_back(batch.offset.back() + rows);
  }
  batch.targets = from_vector(targets);
  batch.row_of_token = from_vector(row_of_token);
  batch.state_before = from_vector(state_before);
  if (!images.empty()) {
    batch.image_of_row = from_vector(std::vector<std::int32_t>(batch.image.begin(), batch.image.end()));
    batch.image_of_token = from_vector(image_of_token);
  }
  return with_inputs(std::move(batch), inputs);
}

}  // namespace glimpse
