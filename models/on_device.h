#pragma once
// Positions that a kernel reads: numbers of rows and images that the host has worked out. Internal to models/.

#include <cstdint>
#include <memory>
#include <vector>

#include "glimpse/engine/memory.h"

namespace glimpse {

/// A list where the kernels of a device can read it: the list itself on the CPU, else a copy. The list must outlive it.
class OnDevice {
 public:
  OnDevice(const std::vector<std::int64_t>& list, Device device);
  const std::int64_t* data() const { return data_; }

 private:
  std::unique_ptr<Storage> copy_;
  const std::int64_t* data_;
};

}  // namespace glimpse
