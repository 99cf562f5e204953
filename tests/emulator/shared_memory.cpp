#include "glimpse/tests/emulator/shared_memory.h"

#include <vector>

#include "glimpse/kernels/base/check.h"
#include "glimpse/tests/emulator/forbidden.h"
#include "glimpse/tests/emulator/futex.h"

namespace glimpse::emulator {
namespace {

constexpr std::size_t zone = 64;  // bytes between variables
constexpr std::size_t arena_bytes = 32 << 20;
constexpr std::size_t most_static = 48 << 10;
constexpr std::size_t most_unasked = 40 << 10;  // dynamic, as launch.cuh has it: above it the launch asks for more
constexpr std::size_t most_of_all = 227 << 10;  // of a block, compute capability 9.0

/// Written while no kernel thread runs, except for the list of used variables, which the lock guards.
struct Arena {
  Arena() : memory(arena_bytes / sizeof(std::uint16_t), poison) {
    used.reserve(64);
    forbid(at(0), arena_bytes);
  }

  char* at(std::int64_t offset) { return reinterpret_cast<char*>(memory.data()) + offset; }

  GLIMPSE_LOOKS_AT_FORBIDDEN void poison_range(std::size_t begin, std::size_t bytes) {
    std::uint16_t* const all = memory.data();
    for (std::size_t i = begin / 2; i < (begin + bytes + 1) / 2; ++i) all[i] = poison;
  }

  GLIMPSE_LOOKS_AT_FORBIDDEN bool intact(std::size_t begin, std::size_t bytes) const {
    const std::uint16_t* const all = memory.data();
    for (std::size_t i = begin / 2; i < (begin + bytes) / 2; ++i)
      if (all[i] != poison) return false;
    return true;
  }

  std::vector<std::uint16_t> memory;
  std::size_t taken = zone;
  SharedSite dynamic{"dynamic shared memory"};
  std::size_t dynamic_bytes = 0;
  std::vector<SharedSite*> used;
  SpinLock lock;
};

Arena& arena() {
  static Arena* const instance = new Arena;
  return *instance;
}

std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

void take(Arena& a, SharedSite& site, std::size_t bytes, std::size_t alignment) {
  const std::size_t begin = round_up(a.taken, alignment < 128 ? 128 : alignment);
  check(begin + bytes + zone <= arena_bytes, "emulator: shared variable '{}' of {} bytes does not fit in the arena",
        site.name, bytes);
  site.offset = static_cast<std::int64_t>(begin);
  site.bytes = bytes;
  a.taken = round_up(begin + bytes, 2) + zone;
  permit(a.at(site.offset), bytes);
}

}  // namespace

void* shared_variable(SharedSite& site, std::size_t bytes, std::size_t alignment) {
  Arena& a = arena();
  a.lock.lock();
  if (site.offset < 0) take(a, site, bytes, alignment);
  if (!site.used) {
    site.used = true;
    a.used.push_back(&site);
  }
  a.lock.unlock();
  return a.at(site.offset);
}

void* dynamic_shared_memory() { return arena().at(arena().dynamic.offset); }

void begin_shared_memory(std::size_t dynamic_bytes, const char* kernel) {
  Arena& a = arena();
  check(dynamic_bytes <= most_of_all, "{}: {} bytes of dynamic shared memory, but a block has {}", kernel,
        dynamic_bytes, most_of_all);
  if (a.dynamic.offset < 0) take(a, a.dynamic, most_of_all, 128);
  a.dynamic.bytes = dynamic_bytes;
  a.dynamic.used = true;
  a.used.push_back(&a.dynamic);
  forbid(a.at(a.dynamic.offset), most_of_all);
  permit(a.at(a.dynamic.offset), dynamic_bytes);
}

void end_block_of_shared_memory(const char* kernel) {
  Arena& a = arena();
  std::size_t total = 0;
  const char* overwritten = nullptr;
  for (const SharedSite* site : a.used) {
    const auto begin = static_cast<std::size_t>(site->offset);
    const std::size_t end = begin + site->bytes + site->bytes % 2;
    if (!a.intact(begin - zone, zone) || !a.intact(end, zone)) overwritten = site->name;
    a.poison_range(begin - zone, site->bytes + 2 * zone + 2);
    total += round_up(site->bytes, 16);
  }
  check(!overwritten, "{}: shared memory was written just outside of '{}'", kernel, overwritten ? overwritten : "");
  const std::size_t fixed = total - round_up(a.dynamic.bytes, 16);
  const std::size_t most_fixed =
      a.dynamic.bytes > most_unasked ? most_of_all - a.dynamic.bytes : most_static - a.dynamic.bytes;
  check(fixed <= most_fixed, "{}: {} bytes of SHARED variables beside {} of dynamic shared memory, but a block has {}",
        kernel, fixed, a.dynamic.bytes, most_fixed + a.dynamic.bytes);
}

void end_shared_memory() noexcept {
  for (SharedSite* site : arena().used) site->used = false;
  arena().used.clear();
}

}  // namespace glimpse::emulator
