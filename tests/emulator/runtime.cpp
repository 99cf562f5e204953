#include "glimpse/tests/emulator/runtime.h"

#include <chrono>
#include <cstring>
#include <map>
#include <mutex>

#include "glimpse/tests/emulator/calls.h"
#include "glimpse/tests/emulator/device_memory.h"
#include "glimpse/tests/emulator/emulator.h"
#include "glimpse/tests/emulator/forbidden.h"
#include "glimpse/tests/emulator/shared_memory.h"

struct EmulatedEvent {
  std::chrono::steady_clock::time_point at;
};

namespace glimpse::emulator {
namespace {

constexpr std::size_t zone = 256;  // bytes before and after each allocation

/// What is taken for an allocation of so many bytes.
std::size_t with_zones(std::size_t bytes) { return (bytes + 255) / 256 * 256 + 2 * zone; }

char poison_at(std::size_t i) { return static_cast<char>(poison >> (i % 2 * 8)); }

void poison_range(char* block, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) block[i] = poison_at(i);
}

/// Whether bytes [begin, end) of the block still hold what they were given.
GLIMPSE_LOOKS_AT_FORBIDDEN bool intact(const char* block, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i)
    if (block[i] != poison_at(i)) return false;
  return true;
}

struct Allocation {
  std::size_t bytes;  ///< of the driver's caller
  std::size_t lent;   ///< of these, from the first on, that may be touched
};

struct Memory {
  std::mutex mutex;
  std::map<void*, Allocation> blocks;
  std::size_t in_use = 0;
  int overwritten = 0;
  cudaError_t next_failure = cudaSuccess;
};

Memory& memory() {
  static Memory* const instance = new Memory;
  return *instance;
}

/// All of an allocation with its zones, where it really lies.
char* whole(void* address) { return real(static_cast<char*>(address) - zone); }

void poison_all(void* address, const Allocation& allocation) {
  permit(whole(address), with_zones(allocation.bytes));
  poison_range(whole(address), with_zones(allocation.bytes));
}

/// Forbids all but the first `bytes` bytes.
void permit_only(void* address, Allocation& allocation, std::size_t bytes) {
  forbid(whole(address), with_zones(allocation.bytes));
  permit(real_address(address), bytes);
  allocation.lent = bytes;
}

/// Whether everything but the bytes that may be touched is as it was; counts where it is not.
bool untouched_around(void* address, const Allocation& allocation) {
  const bool clean =
      intact(whole(address), 0, zone) && intact(whole(address), zone + allocation.lent, with_zones(allocation.bytes));
  memory().overwritten += !clean;
  return clean;
}

/// Whether an address is one of the device, or of the host.
bool lies(const void* address, bool on_device) {
  return options().any_memory || is_device_address(address) == on_device;
}

void count_copy(std::size_t bytes, cudaMemcpyKind kind) {
  count_call(kind == cudaMemcpyHostToDevice   ? &Calls::copies_up
             : kind == cudaMemcpyDeviceToHost ? &Calls::copies_down
                                              : &Calls::copies_on_device);
  if (kind == cudaMemcpyHostToDevice) count_call(&Calls::bytes_up, static_cast<std::int64_t>(bytes));
}

/// The failure that a test has asked for, once.
cudaError_t asked_failure() {
  const std::lock_guard guard(memory().mutex);
  const cudaError_t error = memory().next_failure;
  memory().next_failure = cudaSuccess;
  return error;
}

}  // namespace

EmulatedDevice& device() {
  static EmulatedDevice value;
  return value;
}

void fail_next_call(cudaError_t error) { memory().next_failure = error; }
int overwritten_allocations() { return memory().overwritten; }

cudaError_t lend(void* block, std::size_t bytes) {
  const std::lock_guard guard(memory().mutex);
  const auto found = memory().blocks.find(block);
  if (found == memory().blocks.end() || bytes > found->second.bytes) return cudaErrorInvalidValue;
  const bool is_new = found->second.lent == found->second.bytes;  // what is kept has nothing lent
  const bool clean = is_new || untouched_around(block, found->second);
  permit_only(block, found->second, bytes);
  return clean ? cudaSuccess : cudaErrorIllegalAddress;
}

cudaError_t take_back(void* block) {
  const std::lock_guard guard(memory().mutex);
  const auto found = memory().blocks.find(block);
  if (found == memory().blocks.end()) return cudaErrorInvalidValue;
  const bool clean = untouched_around(block, found->second);
  poison_all(block, found->second);
  permit_only(block, found->second, 0);
  return clean ? cudaSuccess : cudaErrorIllegalAddress;
}

}  // namespace glimpse::emulator

using namespace glimpse::emulator;

cudaError_t cudaGetDeviceCount(int* count) {
  *count = device().count;
  if (device().driver_version < 13000) return cudaErrorInsufficientDriver;
  return *count ? cudaSuccess : cudaErrorNoDevice;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = device().driver_version;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {"emulated device",        device().memory, device().major, device().minor,
                 device().multiprocessors, 32 << 20,        227 << 10};
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t) { return "an emulated failure"; }
const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorIllegalAddress ? "cudaErrorIllegalAddress" : "cudaError";
}
cudaError_t cudaDeviceSynchronize() {
  count_call(&Calls::waits);
  return asked_failure();
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *total = device().memory;
  *free = *total - memory().in_use;
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** address, std::size_t bytes, cudaStream_t) {
  count_call(&Calls::allocations);
  if (const cudaError_t error = asked_failure()) return error;
  const std::lock_guard guard(memory().mutex);
  if (memory().in_use + bytes > device().memory) return cudaErrorMemoryAllocation;
  char* const block = static_cast<char*>(take_device_memory(with_zones(bytes)));
  if (!block) return cudaErrorMemoryAllocation;
  *address = block + zone;
  Allocation& allocation = memory().blocks[*address] = {bytes, 0};
  poison_all(*address, allocation);
  permit_only(*address, allocation, bytes);
  memory().in_use += bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void* address, cudaStream_t) {
  count_call(&Calls::frees);
  const std::lock_guard guard(memory().mutex);
  const auto found = memory().blocks.find(address);
  if (found == memory().blocks.end()) return cudaErrorInvalidValue;
  const bool clean = untouched_around(address, found->second);
  const std::size_t bytes = found->second.bytes;
  memory().in_use -= bytes;
  memory().blocks.erase(found);
  forbid(whole(address), with_zones(bytes));
  give_back_device_memory(static_cast<char*>(address) - zone, with_zones(bytes));
  return clean ? cudaSuccess : cudaErrorIllegalAddress;
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  *pool = nullptr;
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) {
  *static_cast<std::uint64_t*>(value) = memory().in_use;
  return cudaSuccess;
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) { return cudaSuccess; }

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  count_copy(bytes, kind);
  if (const cudaError_t error = asked_failure()) return error;
  if (!lies(to, kind != cudaMemcpyDeviceToHost) || !lies(from, kind != cudaMemcpyHostToDevice))
    return cudaErrorInvalidValue;
  std::memcpy(real_address(to), real_address(from), bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
  count_call(&Calls::fills);
  if (const cudaError_t error = asked_failure()) return error;
  if (!lies(to, true)) return cudaErrorInvalidValue;
  std::memset(real_address(to), value, bytes);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = nullptr;
  return asked_failure();
}
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  count_call(&Calls::waits);
  return asked_failure();
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new EmulatedEvent{};
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  event->at = std::chrono::steady_clock::now();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  *milliseconds = std::chrono::duration<float, std::milli>(to->at - from->at).count();
  return cudaSuccess;
}
