#include "glimpse/tests/emulator/device_memory.h"

#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "glimpse/kernels/base/check.h"

namespace glimpse::emulator {
namespace {

constexpr std::size_t range_bytes = std::size_t{16} << 30;  // of addresses; memory is only taken where it is written
constexpr std::size_t page = 4096;

char* reserve(int protection) {
  void* const range = mmap(nullptr, range_bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(range != MAP_FAILED, "emulator: no range of {} addresses for the device's memory", range_bytes);
  return static_cast<char*>(range);
}

/// Blocks of a few sizes in a row, kept for the next of their size when they are given back.
struct Range {
  char* const device = reserve(PROT_NONE);
  char* const real = reserve(PROT_READ | PROT_WRITE);
  std::mutex mutex;
  std::size_t taken = 0;
  std::map<std::size_t, std::vector<void*>> free;
};

Range& range() {
  static Range* const instance = new Range;
  return *instance;
}

/// The next size of four in each doubling, at least 256.
std::size_t size_class(std::size_t bytes) {
  const std::size_t step = bytes <= 1024 ? 256 : std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}

/// Whether a word of an argument can only be an address of the host. Two numbers of 32 bits may look like one: hence
/// only where something is mapped, not where programs lie on no system (low), and not in `real`, whose addresses nobody
/// has.
bool is_host_address(const void* word) {
  const auto number = reinterpret_cast<std::uintptr_t>(word);
  if (number < 0x500000000000 || number >= 0x800000000000) return false;
  if (word >= range().real && word < range().real + range_bytes) return false;
  return msync(reinterpret_cast<void*>(number / page * page), page, MS_ASYNC) == 0 || errno != ENOMEM;
}

}  // namespace

void* take_device_memory(std::size_t bytes) {
  Range& r = range();
  const std::lock_guard guard(r.mutex);
  const std::size_t size = size_class(bytes);
  std::vector<void*>& free = r.free[size];
  if (!free.empty()) {
    void* const address = free.back();
    free.pop_back();
    return address;
  }
  if (size > range_bytes - r.taken) return nullptr;
  void* const address = r.device + r.taken;
  r.taken += size;
  return address;
}

void give_back_device_memory(void* address, std::size_t bytes) {
  Range& r = range();
  const std::lock_guard guard(r.mutex);
  r.free[size_class(bytes)].push_back(address);
}

bool is_device_address(const void* address) {
  const char* const at = static_cast<const char*>(address);
  return at >= range().device && at < range().device + range_bytes;
}

void* real_address(const void* address) {
  if (!is_device_address(address)) return const_cast<void*>(address);
  return range().real + (static_cast<const char*>(address) - range().device);
}

void translate_argument(void* argument, std::size_t bytes, int number, const char* kernel, bool any_memory) {
  for (std::size_t i = 0; i + sizeof(void*) <= bytes; i += sizeof(void*)) {
    char* const at = static_cast<char*>(argument) + i;
    void* word;
    std::memcpy(&word, at, sizeof word);
    if (is_device_address(word)) {
      word = real_address(word);
      std::memcpy(at, &word, sizeof word);
    } else {
      check(any_memory || !is_host_address(word),
            "{}: byte {} of argument {} is the address {} of the host, which a device cannot read", kernel, i, number,
            word);
    }
  }
}

}  // namespace glimpse::emulator
