#pragma once
// Positions that a kernel reads: numbers of rows and images that the host has worked out.

#include <cstdint>
#include <memory>
#include <vector>

#include "glimpse/engine/internal/parcel.h"
#include "glimpse/engine/memory.h"

namespace glimpse {

/// A list that the kernels of a device can read.
class OnDevice {
 public:
  OnDevice(std::vector<std::int64_t> list, Device device);
  /// Goes with a parcel, and is there when that was sent.
  OnDevice(const std::vector<std::int64_t>& list, Parcel& parcel);
  /// The numbers, on the device.
  const std::int64_t* data() const;

 private:
  std::vector<std::int64_t> list_;
  std::shared_ptr<const Parcel::Content> sent_;  // null on the CPU
  std::size_t at_ = 0;                           // first byte in it
};

}  // namespace glimpse
