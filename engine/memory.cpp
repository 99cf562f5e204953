#include "glimpse/engine/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse {
namespace {

/// Sizes are rounded up to an eighth of a power of two, so that batches of similar shapes reuse each other's blocks.
std::size_t round_up(std::size_t bytes) {
  const std::size_t least = bytes < 512 ? 512 : bytes;
  const std::size_t step = std::bit_floor(least) / 8;
  return (least + step - 1) / step * step;
}

/// Sentinels around the blocks of a MemoryGuard. The pattern is a NaN in f32, f64, f16 and bf16.
constexpr std::size_t sentinel = 64;
constexpr int pattern = 0xff;

bool intact(const unsigned char* bytes, std::size_t n) {
  return std::all_of(bytes, bytes + n, [](unsigned char byte) { return byte == pattern; });
}

/// Blocks of this size and more lie on huge pages where the system has them: matrix products walk through matrices by
/// columns too, and then each small page costs an address translation.
constexpr std::size_t huge_page = std::size_t{2} << 20;

void* from_system(std::size_t bytes) {
  const std::size_t alignment = bytes < huge_page ? 64 : huge_page;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, rounded);
#ifdef MADV_HUGEPAGE
  if (block && alignment == huge_page) ::madvise(block, rounded, MADV_HUGEPAGE);  // a wish, not a need
#endif
  return block;
}

/// Large blocks come from the system anew at each malloc, page faults included; keeping them makes a training step
/// several times cheaper than plain malloc.
class CpuPool {
 public:
  void* allocate(std::size_t bytes) {
    std::lock_guard lock(mutex_);
    const std::size_t rounded = round_up(bytes);
    void* block = guarding_ ? allocate_guarded(bytes) : take(rounded);
    if (!block) {
      // Blocks in sizes that are no longer asked for must not add up without bound.
      const std::size_t allowed = most_in_use_ + most_in_use_ / 2 + slack, needed = stats_.in_use + rounded;
      trim(allowed > needed ? allowed - needed : 0);
      block = from_system(rounded);
      if (!block) {
        trim(0);
        block = from_system(rounded);
      }
      if (!block) out_of_memory(bytes);
    }
    ++stats_.allocations;
    stats_.in_use += rounded;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    most_in_use_ = std::max(most_in_use_, stats_.in_use);
    return block;
  }

  void free(void* block, std::size_t bytes) {
    std::lock_guard lock(mutex_);
    const std::size_t rounded = round_up(bytes);
    stats_.in_use -= rounded;
    if (const auto guarded = guarded_.find(block); guarded != guarded_.end()) {
      inspect(block, guarded->second, violations_);
      guarded_.erase(guarded);
      std::free(static_cast<char*>(block) - sentinel);
      return;
    }
    blocks_[rounded].push_back({block, ++clock_});
    stats_.cached += rounded;
  }

  void release_cached() {
    std::lock_guard lock(mutex_);
    trim(0);
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak = stats_.in_use;
  }

  void guard(bool on) {
    std::lock_guard lock(mutex_);
    check(guarding_ != on, "memory guard: one at a time");
    guarding_ = on;
    violations_.clear();
  }

  std::vector<std::string> violations() {
    std::lock_guard lock(mutex_);
    std::vector<std::string> all = violations_;
    for (const auto& [block, bytes] : guarded_) inspect(block, bytes, all);
    return all;
  }

 private:
  static constexpr std::size_t slack = std::size_t{64} << 20;

  struct FreeBlock {
    void* address;
    std::uint64_t freed;  // the clock then
  };

  [[noreturn]] void out_of_memory(std::size_t bytes) const {
    throw OutOfMemory(
        fmt::format("out of memory: {} bytes on cpu; {} bytes are in use by tensors", bytes, stats_.in_use));
  }

  void* take(std::size_t bytes) {
    const auto found = blocks_.find(bytes);
    if (found == blocks_.end() || found->second.empty()) return nullptr;
    void* block = found->second.back().address;
    found->second.pop_back();
    stats_.cached -= bytes;
    return block;
  }

  /// Gives the blocks that have lain unused for longest back to the system, until `limit` bytes are cached.
  void trim(std::size_t limit) {
    if (stats_.cached <= limit) return;
    std::vector<std::pair<std::uint64_t, std::size_t>> oldest;  // when freed, size
    for (const auto& [bytes, list] : blocks_)
      for (const FreeBlock& block : list) oldest.emplace_back(block.freed, bytes);
    std::sort(oldest.begin(), oldest.end());
    for (const auto& [freed, bytes] : oldest) {
      if (stats_.cached <= limit) break;
      std::vector<FreeBlock>& list = blocks_[bytes];  // its first block is its oldest
      std::free(list.front().address);
      list.erase(list.begin());
      stats_.cached -= bytes;
    }
  }

  void* allocate_guarded(std::size_t bytes) {
    char* whole = static_cast<char*>(from_system(bytes + 2 * sentinel));
    if (!whole) out_of_memory(bytes);
    std::memset(whole, pattern, bytes + 2 * sentinel);
    guarded_.emplace(whole + sentinel, bytes);
    return whole + sentinel;
  }

  static void inspect(const void* block, std::size_t bytes, std::vector<std::string>& violations) {
    const auto* first = static_cast<const unsigned char*>(block);
    if (!intact(first - sentinel, sentinel))
      violations.push_back(fmt::format("written before a block of {} bytes", bytes));
    if (!intact(first + bytes, sentinel))
      violations.push_back(fmt::format("written behind a block of {} bytes", bytes));
  }

  std::mutex mutex_;
  MemoryStats stats_;
  std::size_t most_in_use_ = 0;                           // ever
  std::uint64_t clock_ = 0;                               // blocks freed so far
  std::map<std::size_t, std::vector<FreeBlock>> blocks_;  // free ones by size, in the order in which they were freed
  bool guarding_ = false;
  std::map<void*, std::size_t> guarded_;  // live ones, with the bytes asked for
  std::vector<std::string> violations_;
};

/// Never destroyed: tensors with static lifetime may outlive every other static object.
CpuPool& cpu_pool() {
  static CpuPool* pool = new CpuPool;
  return *pool;
}

/// Calls cpu() or, for memory of a GPU, cuda(). Throws Error where there is no such backend.
template <class OnCpu, class OnCuda>
auto where(Device device, OnCpu cpu, [[maybe_unused]] OnCuda cuda) {
  if (device == Device::cpu) return cpu();
  if constexpr (cuda_built)
    return cuda();
  else
    detail::no_cuda();
}

}  // namespace

MemoryStats memory_stats(Device device) {
  return where(
      device, [] { return cpu_pool().stats(); },
      [] {
        const cuda::Counters c = cuda::counters();
        return MemoryStats{c.in_use, c.peak, c.cached, c.allocations};
      });
}

void reset_peak_memory(Device device) {
  where(
      device, [] { cpu_pool().reset_peak(); }, [] { cuda::reset_peak(); });
}

void release_cached_memory(Device device) {
  where(
      device, [] { cpu_pool().release_cached(); }, [] { cuda::release_cached(); });
}

MemoryGuard::MemoryGuard() { cpu_pool().guard(true); }
MemoryGuard::~MemoryGuard() { cpu_pool().guard(false); }
std::vector<std::string> MemoryGuard::violations() const { return cpu_pool().violations(); }

Storage::Storage(std::size_t bytes, Device device) : bytes_(bytes), device_(device) {
  const auto owned = [&](auto free) {
    owner_ = std::shared_ptr<const void>(data_, [free](const void* p) { free(const_cast<void*>(p)); });
  };
  where(
      device,
      [&] {
        data_ = cpu_pool().allocate(bytes);
        owned([bytes](void* p) { cpu_pool().free(p, bytes); });
      },
      [&] {
        void* const stream = detail::current_stream();
        data_ = cuda::allocate(bytes, stream, "a tensor");
        owned([bytes, stream](void* p) { cuda::release(p, bytes, stream); });
      });
}

Storage::Storage(void* data, std::size_t bytes, Device device, std::shared_ptr<const void> owner)
    : data_(data), bytes_(bytes), device_(device), owner_(std::move(owner)) {}

void Storage::move_to(const std::shared_ptr<Storage>& target, std::size_t offset) {
  check(target->device_ == device_ && offset <= target->bytes_ && bytes_ <= target->bytes_ - offset,
        "storage: {} bytes do not fit at byte {} of a buffer of {}", bytes_, offset, target->bytes_);
  check(!hosts_ && target.get() != this, "storage: {} bytes that others have moved into cannot move", bytes_);
  void* place = static_cast<char*>(target->data_) + offset;
  where(
      device_, [&] { std::memcpy(place, data_, bytes_); },
      [&] { cuda::copy_on_device(place, data_, bytes_, detail::current_stream()); });
  data_ = place;
  owner_ = target;
  target->hosts_ = true;
}

}  // namespace glimpse
