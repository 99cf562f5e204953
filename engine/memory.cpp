#include "glimpse/engine/memory.h"

#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "glimpse/kernels/check.h"

namespace glimpse {
namespace {

/// Sizes are rounded up to an eighth of a power of two, so that batches of similar shapes reuse each other's blocks.
std::size_t round_up(std::size_t bytes) {
  const std::size_t least = bytes < 512 ? 512 : bytes;
  const std::size_t step = std::bit_floor(least) / 8;
  return (least + step - 1) / step * step;
}

/// Large blocks come from the system anew at each malloc, page faults included; keeping them makes a training step
/// several times cheaper than plain malloc.
class CpuPool {
 public:
  void* allocate(std::size_t bytes) {
    std::lock_guard lock(mutex_);
    void* block = take(bytes);
    if (!block) {
      // What the cache holds in sizes that are no longer asked for must not add up without bound.
      if (stats_.cached > stats_.in_use + slack) release();
      block = std::aligned_alloc(64, bytes);
      if (!block) {
        release();
        block = std::aligned_alloc(64, bytes);
      }
      check(block, "out of memory: {} bytes on cpu; {} bytes are in use by tensors", bytes, stats_.in_use);
    }
    ++stats_.allocations;
    stats_.in_use += bytes;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    return block;
  }

  void free(void* block, std::size_t bytes) {
    std::lock_guard lock(mutex_);
    blocks_[bytes].push_back(block);
    stats_.in_use -= bytes;
    stats_.cached += bytes;
  }

  void release() {
    for (auto& [bytes, list] : blocks_)
      for (void* block : list) std::free(block);
    blocks_.clear();
    stats_.cached = 0;
  }

  std::mutex mutex_;
  MemoryStats stats_;

 private:
  static constexpr std::size_t slack = std::size_t{256} << 20;

  void* take(std::size_t bytes) {
    const auto found = blocks_.find(bytes);
    if (found == blocks_.end() || found->second.empty()) return nullptr;
    void* block = found->second.back();
    found->second.pop_back();
    stats_.cached -= bytes;
    return block;
  }

  std::map<std::size_t, std::vector<void*>> blocks_;
};

/// Never destroyed: tensors with static lifetime may outlive every other static object.
CpuPool& cpu_pool() {
  static CpuPool* pool = new CpuPool;
  return *pool;
}

void require_cpu(Device device) { check(device == Device::cpu, "this build has no CUDA backend"); }

}  // namespace

MemoryStats memory_stats(Device device) {
  require_cpu(device);
  std::lock_guard lock(cpu_pool().mutex_);
  return cpu_pool().stats_;
}

void reset_peak_memory(Device device) {
  require_cpu(device);
  std::lock_guard lock(cpu_pool().mutex_);
  cpu_pool().stats_.peak = cpu_pool().stats_.in_use;
}

void release_cached_memory(Device device) {
  require_cpu(device);
  std::lock_guard lock(cpu_pool().mutex_);
  cpu_pool().release();
}

Storage::Storage(std::size_t bytes, Device device) : bytes_(bytes), device_(device) {
  require_cpu(device);
  const std::size_t rounded = round_up(bytes);
  data_ = cpu_pool().allocate(rounded);
  owner_ = std::shared_ptr<const void>(data_, [rounded](const void* p) { cpu_pool().free(const_cast<void*>(p), rounded); });
}

Storage::Storage(void* data, std::size_t bytes, Device device, std::shared_ptr<const void> owner)
    : data_(data), bytes_(bytes), device_(device), owner_(std::move(owner)) {}

void Storage::move_to(const std::shared_ptr<Storage>& target, std::size_t offset) {
  check(target->device_ == device_ && offset + bytes_ <= target->bytes_,
        "storage: {} bytes do not fit at byte {} of a buffer of {}", bytes_, offset, target->bytes_);
  void* place = static_cast<char*>(target->data_) + offset;
  std::memcpy(place, data_, bytes_);
  data_ = place;
  owner_ = target;
}

}  // namespace glimpse
