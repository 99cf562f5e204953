#include "glimpse/engine/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/block_pool.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse {
namespace {

using kernels::BlockPool;

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
    const std::size_t size = BlockPool::size_for(bytes);
    void* block = guarding_ ? allocate_guarded(bytes) : pool_.take(size);
    if (!block) {
      trim(pool_.allowed(size));
      block = from_system(size);
      if (!block) {
        trim(0);
        block = from_system(size);
      }
      if (!block) out_of_memory(bytes);
    }
    pool_.give_out(size);
    return block;
  }

  void free(void* block, std::size_t bytes) {
    std::lock_guard lock(mutex_);
    const std::size_t size = BlockPool::size_for(bytes);
    if (const auto guarded = guarded_.find(block); guarded != guarded_.end()) {
      pool_.forget(size);
      inspect(block, guarded->second, violations_);
      guarded_.erase(guarded);
      std::free(static_cast<char*>(block) - sentinel);
      return;
    }
    pool_.keep(block, size);
  }

  void release_cached() {
    std::lock_guard lock(mutex_);
    trim(0);
  }

  BlockPool::Counters counters() {
    std::lock_guard lock(mutex_);
    return pool_.counters();
  }

  void reset_peak() {
    std::lock_guard lock(mutex_);
    pool_.reset_peak();
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
  [[noreturn]] void out_of_memory(std::size_t bytes) const {
    throw OutOfMemory(
        fmt::format("out of memory: {} bytes on cpu; {} bytes are in use by tensors", bytes, pool_.counters().in_use));
  }

  void trim(std::size_t limit) {
    pool_.trim(limit, [](void* block, std::size_t, void*) { std::free(block); });
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
  BlockPool pool_;
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
  const BlockPool::Counters c = where(
      device, [] { return cpu_pool().counters(); }, [] { return cuda::counters(); });
  return {c.in_use, c.peak, c.cached, c.allocations, c.reused};
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
