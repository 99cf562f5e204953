#pragma once
// Device memory: caching pools with visible counters.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "glimpse/engine/dtype.h"

namespace glimpse {

/// Bytes that tensors of one device use and have used.
struct MemoryStats {
  std::size_t in_use = 0;       ///< held by live tensors
  std::size_t peak = 0;         ///< highest in_use since the start or reset_peak_memory
  std::size_t cached = 0;       ///< freed by tensors, kept by the pool for the next ones
  std::uint64_t allocations = 0;  ///< requests served, from the pool or the system
};

MemoryStats memory_stats(Device device = Device::cpu);
void reset_peak_memory(Device device = Device::cpu);
/// Gives the pool's cached memory back to the system.
void release_cached_memory(Device device = Device::cpu);

/// A block of memory that several tensors may share. Its place can change once (move_to): every tensor on it follows,
/// which is how an optimiser gathers all parameters in one buffer.
class Storage {
 public:
  /// Uninitialised memory, 64-byte aligned. Throws Error naming the size and the counters when there is none.
  Storage(std::size_t bytes, Device device);
  /// Memory owned by something else (a mapped file), kept alive by `owner`.
  Storage(void* data, std::size_t bytes, Device device, std::shared_ptr<const void> owner);

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  /// Copies the content to `offset` bytes into `target` and lives there from now on. Throws Error if it does not fit.
  void move_to(const std::shared_ptr<Storage>& target, std::size_t offset);

 private:
  void* data_;
  std::size_t bytes_;
  Device device_;
  std::shared_ptr<const void> owner_;
};

}  // namespace glimpse
