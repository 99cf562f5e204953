#pragma once
// Which words look at which image, as the attention kernels are told.

#include <cstdint>
#include <memory>
#include <vector>

#include "glimpse/engine/internal/on_device.h"
#include "glimpse/kernels/attention/attention.h"
#include "glimpse/models/decoder/token_batch.h"

namespace glimpse {

/// The groups of all steps of a batch and those of the batch as a whole, on the device of the kernels.
class ImageGroups {
 public:
  ImageGroups(const TokenBatch& batch, Device device);
  /// For a GPU: the lists go with a parcel.
  ImageGroups(const TokenBatch& batch, Parcel& parcel);

  /// `sizes` with the groups of step t, whose queries are the rows that are active then. Captions of one image form one
  /// group, which reads its keys and features once; on the CPU only while there are groups for all threads.
  kernels::AttentionShape of_step(std::int64_t t, kernels::AttentionShape sizes) const;
  /// `sizes` with one group an image, of all words of its captions: queries are tokens.
  kernels::AttentionShape of_all(kernels::AttentionShape sizes) const;

 private:
  /// Places in list_, -1: the kernels need no such list.
  struct Groups {
    std::int64_t count = 0, queries = 0, image = -1, first = -1, row = -1;
  };
  std::vector<std::int64_t> plan(const TokenBatch& batch, bool shared);
  kernels::AttentionShape with(const Groups& groups, kernels::AttentionShape sizes) const;

  std::vector<Groups> steps_;
  Groups all_;
  OnDevice list_;
};

/// Those that came with the batch, or new ones.
std::shared_ptr<const ImageGroups> groups_of(const TokenBatch& batch, Device device);

}  // namespace glimpse
