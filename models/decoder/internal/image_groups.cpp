#include "glimpse/models/decoder/internal/image_groups.h"

#include "glimpse/kernels/base/parallel.h"

namespace glimpse {
namespace {

/// The rows of each image, in their order.
std::vector<std::vector<std::int64_t>> rows_by_image(const TokenBatch& batch) {
  std::vector<std::vector<std::int64_t>> rows(static_cast<std::size_t>(batch.images()));
  for (std::int64_t row = 0; row < batch.rows(); ++row) rows[batch.image_of(row)].push_back(row);
  return rows;
}

std::int64_t append(std::vector<std::int64_t>& list, const std::vector<std::int64_t>& more) {
  const std::int64_t place = std::ssize(list);
  list.insert(list.end(), more.begin(), more.end());
  return place;
}

}  // namespace

ImageGroups::ImageGroups(const TokenBatch& batch, Device device)
    : list_(plan(batch, !batch.image.empty() && (device != Device::cpu || batch.images() >= kernels::threads())),
            device) {}

ImageGroups::ImageGroups(const TokenBatch& batch, Parcel& parcel) : list_(plan(batch, !batch.image.empty()), parcel) {}

/// Sets the groups' places; returns the list that they lie in. `shared`: captions of one image form a group of a step.
std::vector<std::int64_t> ImageGroups::plan(const TokenBatch& batch, bool shared) {
  const std::vector<std::vector<std::int64_t>> rows = rows_by_image(batch);
  std::vector<std::int64_t> list;
  const std::int64_t image_of_row = shared || batch.image.empty() ? -1 : append(list, batch.image);
  std::vector<std::int64_t> first_token{0}, token;
  for (const auto& of_image : rows) {
    for (const std::int64_t row : of_image)
      for (std::int64_t t = 0; t < batch.steps() && row < batch.active[t]; ++t) token.push_back(batch.offset[t] + row);
    first_token.push_back(std::ssize(token));
  }
  all_ = {batch.images(), batch.tokens(), -1, append(list, first_token), append(list, token)};
  for (std::int64_t t = 0; t < batch.steps(); ++t) {
    const std::int64_t active = batch.active[t];
    if (!shared) {
      steps_.push_back({active, active, image_of_row, -1, -1});
      continue;
    }
    std::vector<std::int64_t> image, first{0}, row;
    for (std::int64_t i = 0; i < batch.images(); ++i) {
      for (const std::int64_t r : rows[i])
        if (r < active) row.push_back(r);
      if (std::ssize(row) == first.back()) continue;
      image.push_back(i);
      first.push_back(std::ssize(row));
    }
    steps_.push_back({std::ssize(image), active, append(list, image), append(list, first), append(list, row)});
  }
  return list;
}

std::shared_ptr<const ImageGroups> groups_of(const TokenBatch& batch, Device device) {
  if (batch.groups && device != Device::cpu) return batch.groups;
  return std::make_shared<ImageGroups>(batch, device);
}

kernels::AttentionShape ImageGroups::with(const Groups& groups, kernels::AttentionShape sizes) const {
  const auto at = [&](std::int64_t place) { return place < 0 ? nullptr : list_.data() + place; };
  sizes.groups = groups.count;
  sizes.queries = groups.queries;
  sizes.image = at(groups.image);
  sizes.first = at(groups.first);
  sizes.row = at(groups.row);
  return sizes;
}

kernels::AttentionShape ImageGroups::of_step(std::int64_t t, kernels::AttentionShape sizes) const {
  return with(steps_[t], sizes);
}

kernels::AttentionShape ImageGroups::of_all(kernels::AttentionShape sizes) const { return with(all_, sizes); }

}  // namespace glimpse
