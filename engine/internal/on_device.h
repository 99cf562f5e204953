#pragma once
// Positions that a kernel reads: numbers of rows and images that the host has worked out.

#include <cstdint>
#include <memory>
#include <vector>

#include "glimpse/engine/memory.h"

namespace glimpse {

/// A list that the kernels of a device can read.
class OnDevice {
 public:
  OnDevice(std::vector<std::int64_t> list, Device device);
  /// The numbers, on the device.
  const std::int64_t* data() const;

 private:
  std::vector<std::int64_t> list_;
  std::shared_ptr<const Storage> copy_;  // null on the CPU
};

}  // namespace glimpse
