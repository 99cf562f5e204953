#pragma once
// The features of a cache in the memory of a GPU: a batch is then a list of its images' rows, and no feature is sent
// there twice.

#include <memory>

#include "glimpse/data/feature_cache.h"

namespace glimpse {

class ResidentFeatures {
 public:
  /// The share of a device's memory that features may take: the rest is for weights, moments and activations.
  static constexpr double share = 0.4;

  /// Sends the features of `cache` to `device`, in the type that they have there. Null for the CPU, which reads the
  /// cache's file, where they take more than `most` of the device's memory, and where so much of it is not free.
  static std::shared_ptr<const ResidentFeatures> of(const FeatureCache& cache, Device device, double most = share);

  std::size_t bytes() const { return features_.bytes(); }
  /// The features of some rows of the cache, index (I) i32 on the device -> (I,L,D) f32. Every index must be a row.
  Tensor rows(const Tensor& index) const;

 private:
  explicit ResidentFeatures(Tensor features) : features_(std::move(features)) {}
  Tensor features_;  // (N,L,D) f16 or f32
};

}  // namespace glimpse
