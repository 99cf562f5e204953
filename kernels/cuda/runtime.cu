// The only file that speaks to the CUDA runtime: which device there is and why none, memory that is kept for its next
// use, with counters, streams and events, copies, and errors in words. No kernels. Under g++ the same code meets the
// emulated device (tests/emulator/runtime.h).

#include "glimpse/kernels/cuda/runtime.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/cuda/internal/index_limit_for_tests.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "glimpse/tests/emulator/runtime.h"
#endif

namespace glimpse::cuda {
namespace {

constexpr int least_major = 7, least_minor = 5;

cudaStream_t native(void* stream) { return static_cast<cudaStream_t>(stream); }

std::string text_of(cudaError_t error) {
  return std::string(cudaGetErrorString(error)) + " (" + cudaGetErrorName(error) + ")";
}

/// Throws Error for anything but success. Faults of kernels surface at whatever call comes next, which is not to blame.
void check(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // it has been reported: the next call must not report it again
  throw Error(std::string("CUDA: ") + doing + ": " + text_of(error) +
              ". The cause may be a kernel launched earlier; GLIMPSE_CUDA_SYNC=1 in the environment names it");
}

struct Device {
  DeviceInfo info;
  std::string why_not;
  cudaMemPool_t pool = nullptr;
};

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string explain_absence(cudaError_t error) {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) return "no NVIDIA driver is installed";
  if (error == cudaErrorInsufficientDriver)
    return "the NVIDIA driver supports CUDA " + version_text(driver) + ", but this program was built with CUDA " +
           version_text(runtime);
  if (error == cudaSuccess || error == cudaErrorNoDevice) return "no CUDA device is visible";
  return text_of(error);
}

Device find_device() {
  Device device;
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  cudaDeviceProp properties;
  if (error != cudaSuccess || count == 0 || cudaGetDeviceProperties(&properties, 0) != cudaSuccess) {
    device.why_not = explain_absence(error);
    cudaGetLastError();
    return device;
  }
  device.info = {properties.name,
                 properties.major,
                 properties.minor,
                 properties.multiProcessorCount,
                 properties.totalGlobalMem,
                 static_cast<std::size_t>(properties.l2CacheSize),
                 properties.sharedMemPerBlockOptin};
  if (properties.major * 10 + properties.minor < least_major * 10 + least_minor) {
    device.why_not = device.info.name + " has compute capability " + std::to_string(properties.major) + "." +
                     std::to_string(properties.minor) + ", but " + std::to_string(least_major) + "." +
                     std::to_string(least_minor) + " is the least that Glimpse supports";
    return device;
  }
  std::uint64_t keep_everything = ~std::uint64_t{0};
  if (cudaDeviceGetDefaultMemPool(&device.pool, 0) != cudaSuccess ||
      cudaMemPoolSetAttribute(device.pool, cudaMemPoolAttrReleaseThreshold, &keep_everything) != cudaSuccess) {
    device.why_not = device.info.name + " offers no stream-ordered memory";
    cudaGetLastError();
  }
  return device;
}

const Device& device() {
  static const Device* const found = new Device(find_device());
  return *found;
}

const Device& usable_device() {
  if (!device().why_not.empty()) throw Error("CUDA is not available: " + device().why_not);
  return device();
}

/// Freed memory, kept for the next request in the order of its stream: a step like the one before asks the driver for
/// nothing, neither memory nor to have it back.
struct Pool {
  std::mutex mutex;
  kernels::BlockPool blocks;
};

/// Never destroyed: tensors with static lifetime may outlive every other static object.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

#ifdef __CUDACC__
/// The emulator forbids what is not given out.
cudaError_t lend(void*, std::size_t) { return cudaSuccess; }
cudaError_t take_back(void*) { return cudaSuccess; }
#else
using emulator::lend;
using emulator::take_back;
#endif

std::atomic<int> failure_of_release{cudaSuccess};

void to_driver(void* block, std::size_t, void* stream) {
  const cudaError_t error = cudaFreeAsync(block, native(stream));
  if (error != cudaSuccess) failure_of_release = error;
}

/// Frees kept blocks until `limit` bytes are left. The pool is locked.
void trim(std::size_t limit) { pool().blocks.trim(limit, to_driver); }

/// Gives everything that is not in use back to the device. The pool is locked.
void release_all() {
  trim(0);
  check(cudaDeviceSynchronize(), "waiting for the device");
  check(cudaMemPoolTrimTo(device().pool, 0), "giving cached memory back");
}

/// A new block of `size` bytes; null where the device has none even after everything was given back.
void* from_driver(std::size_t size, void* stream) {
  trim(pool().blocks.allowed(size));
  void* memory = nullptr;
  cudaError_t error = cudaMallocAsync(&memory, size, native(stream));
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    release_all();
    error = cudaMallocAsync(&memory, size, native(stream));
  }
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(error, "allocating memory");
  return memory;
}

std::string megabytes(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

std::int64_t index_limit = 0x7fffffff;

[[noreturn]] void out_of_memory(std::size_t bytes, const char* what) {
  std::size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  throw OutOfMemory("CUDA out of memory: " + std::to_string(bytes) + " bytes for " + what + "; tensors hold " +
                    megabytes(pool().blocks.counters().in_use) + ", " + megabytes(free) + " of " + megabytes(total) +
                    " are free on " + device_info().name);
}

}  // namespace

bool available() { return device().why_not.empty(); }
const std::string& why_unavailable() { return device().why_not; }
const DeviceInfo& device_info() { return usable_device().info; }

std::int64_t most_indexed() { return index_limit; }
ScopedIndexLimit::ScopedIndexLimit(std::int64_t limit) : before_(std::exchange(index_limit, limit)) {}
ScopedIndexLimit::~ScopedIndexLimit() { index_limit = before_; }

void* allocate(std::size_t bytes, void* stream, const char* what) {
  usable_device();
  check(static_cast<cudaError_t>(failure_of_release.exchange(cudaSuccess)), "freeing memory");
  const std::size_t size = kernels::BlockPool::size_for(bytes);
  const std::lock_guard guard(pool().mutex);
  void* memory = pool().blocks.take(size, stream);
  if (!memory) memory = from_driver(size, stream);
  if (!memory) out_of_memory(bytes, what);
  pool().blocks.give_out(size);
  check(lend(memory, bytes), "reusing memory");
  return memory;
}

void release(void* memory, std::size_t bytes, void* stream) noexcept {
  if (!memory) return;
  const std::lock_guard guard(pool().mutex);
  const cudaError_t error = take_back(memory);
  if (error != cudaSuccess) failure_of_release = error;
  pool().blocks.keep(memory, kernels::BlockPool::size_for(bytes), stream);
}

Counters counters() {
  Counters c;
  {
    const std::lock_guard guard(pool().mutex);
    c = pool().blocks.counters();
  }
  if (!available()) return c;
  std::uint64_t reserved = 0, used = 0;
  check(cudaMemPoolGetAttribute(device().pool, cudaMemPoolAttrReservedMemCurrent, &reserved), "asking the memory pool");
  check(cudaMemPoolGetAttribute(device().pool, cudaMemPoolAttrUsedMemCurrent, &used), "asking the memory pool");
  c.cached += static_cast<std::size_t>(reserved - used);
  return c;
}

void reset_peak() {
  const std::lock_guard guard(pool().mutex);
  pool().blocks.reset_peak();
}

void release_cached() {
  usable_device();
  const std::lock_guard guard(pool().mutex);
  release_all();
}

void copy_to_device(void* to, const void* from, std::size_t bytes, void* stream) {
  if (bytes) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, native(stream)), "copying to the device");
}

void copy_to_host(void* to, const void* from, std::size_t bytes, void* stream) {
  if (bytes) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, native(stream)), "copying to the host");
  synchronize(stream);
}

void copy_on_device(void* to, const void* from, std::size_t bytes, void* stream) {
  if (bytes) check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, native(stream)), "copying on the device");
}

void fill_bytes(void* to, int value, std::size_t bytes, void* stream) {
  if (bytes) check(cudaMemsetAsync(to, value, bytes, native(stream)), "filling memory");
}

void synchronize(void* stream) { check(cudaStreamSynchronize(native(stream)), "waiting for a stream"); }

Stream::Stream() {
  usable_device();
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
  stream_ = stream;
}

Stream::~Stream() {
  {
    const std::lock_guard guard(pool().mutex);
    pool().blocks.drop(stream_, to_driver);  // another stream may get this one's name
  }
  cudaStreamDestroy(native(stream_));
}

Event::Event() {
  usable_device();
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "creating an event");
  event_ = event;
}

Event::~Event() { cudaEventDestroy(static_cast<cudaEvent_t>(event_)); }

void Event::record(void* stream) {
  check(cudaEventRecord(static_cast<cudaEvent_t>(event_), native(stream)), "recording an event");
}

void Event::wait() const { check(cudaEventSynchronize(static_cast<cudaEvent_t>(event_)), "waiting for an event"); }

float Event::since(const Event& earlier) const {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, static_cast<cudaEvent_t>(earlier.event_), static_cast<cudaEvent_t>(event_)),
        "reading the time between events");
  return milliseconds;
}

int launch_error(void* stream) {
  static const bool wait = [] {
    const char* value = std::getenv("GLIMPSE_CUDA_SYNC");
    return value && std::strcmp(value, "1") == 0;
  }();
  cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess && wait) error = cudaStreamSynchronize(native(stream));
  return static_cast<int>(error);
}

void fail_launch(int error, const std::string& launch) {
  const auto e = static_cast<cudaError_t>(error);
  std::string message = launch + ": CUDA: " + text_of(e);
  if (e == cudaErrorNoKernelImageForDevice || e == cudaErrorInvalidDeviceFunction ||
      e == cudaErrorUnsupportedPtxVersion)
    message += ": this program was not built for " + device().info.name + ", compute capability " +
               std::to_string(device().info.major) + "." + std::to_string(device().info.minor) +
               "; set CMAKE_CUDA_ARCHITECTURES";
  throw Error(message);
}

}  // namespace glimpse::cuda
