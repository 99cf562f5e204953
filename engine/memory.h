#pragma once
// Device memory: caching pools with visible counters.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "glimpse/engine/dtype.h"

namespace glimpse {

/// Bytes that tensors of one device use and have used.
struct MemoryStats {
  std::size_t in_use = 0;         ///< held by live tensors
  std::size_t peak = 0;           ///< highest in_use since the start or reset_peak_memory
  std::size_t cached = 0;         ///< freed by tensors, kept by the pool for the next ones
  std::uint64_t allocations = 0;  ///< requests served, from the pool or the system
  std::uint64_t reused = 0;       ///< of these, from the pool
};

MemoryStats memory_stats(Device device = Device::cpu);
void reset_peak_memory(Device device = Device::cpu);
/// Gives the pool's cached memory back to the system.
void release_cached_memory(Device device = Device::cpu);

/// For tests: while one lives, new CPU memory is filled with bytes that read as NaN in every floating type, and bytes
/// in front of and behind it, checked when it is freed, tell of writes outside. One at a time.
class MemoryGuard {
 public:
  MemoryGuard();
  ~MemoryGuard();
  MemoryGuard(const MemoryGuard&) = delete;
  MemoryGuard& operator=(const MemoryGuard&) = delete;

  /// One line for each block that was written outside its bounds since the guard was set up, live blocks included.
  std::vector<std::string> violations() const;
};

/// A block of memory that several tensors may share. It can move into a larger one (move_to): every tensor on it
/// follows, which is how an optimizer gathers all parameters in one buffer.
class Storage {
 public:
  /// Uninitialised memory, 64-byte aligned. Throws Error naming the size and the counters when there is none.
  Storage(std::size_t bytes, Device device);
  /// Memory owned by something else (a mapped file), kept alive by `owner`.
  Storage(void* data, std::size_t bytes, Device device, std::shared_ptr<const void> owner);

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  /// Copies the content to `offset` bytes into `target` and lives there from now on. Throws Error if it does not fit,
  /// or if others have moved into this one.
  void move_to(const std::shared_ptr<Storage>& target, std::size_t offset);

 private:
  void* data_;
  std::size_t bytes_;
  Device device_;
  std::shared_ptr<const void> owner_;
  bool hosts_ = false;  // others live here: it must stay where it is
};

}  // namespace glimpse
