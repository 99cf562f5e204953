#pragma once
// What Glimpse asks of the CUDA runtime, without its headers: the device, memory, streams, copies and errors. Only a
// build with the CUDA backend (or with the emulator in its place) has these functions. All of them work on the first
// visible device; a stream is a cudaStream_t kept opaque.

#include <cstddef>
#include <cstdint>
#include <string>

#include "glimpse/kernels/base/block_pool.h"

namespace glimpse::cuda {

struct DeviceInfo {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  std::size_t memory = 0;            ///< bytes
  std::size_t l2_cache = 0;          ///< bytes
  std::size_t shared_per_block = 0;  ///< bytes that a block can ask for
};

/// Whether a driver and a device answer, asked once. Never throws.
bool available();
/// Why not, in one line: "no NVIDIA driver is installed". Empty when available().
const std::string& why_unavailable();
/// Throws Error with why_unavailable() where there is no device.
const DeviceInfo& device_info();
inline int multiprocessors() { return device_info().multiprocessors; }

/// Elements that kernels with indices of 32 bits take in one launch.
std::int64_t most_indexed();

/// Device memory for work in `stream`. What is released is kept for the next request of its size and stream, so that
/// steps of the same shapes never ask the driver. Throws Error naming the size, what it is for, and who holds how much,
/// when there is none even after all that is kept was given back.
void* allocate(std::size_t bytes, void* stream, const char* what);
/// Keeps it for work that comes behind what is in `stream` now; `bytes` as they were asked for. Errors show at the next
/// call that can throw.
void release(void* memory, std::size_t bytes, void* stream) noexcept;

/// Device memory for one operation: released, in the order of the stream, at the end of a scope.
template <class T>
class Scratch {
 public:
  Scratch(std::int64_t n, void* stream, const char* what)
      : bytes_(static_cast<std::size_t>(n) * sizeof(T)),
        stream_(stream),
        data_(static_cast<T*>(allocate(bytes_, stream, what))) {}
  ~Scratch() { release(data_, bytes_, stream_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  std::size_t bytes_;
  void* stream_;
  T* data_;
};

/// Of all streams together; cached counts what CUDA's own pool keeps too.
using Counters = kernels::BlockPool::Counters;
Counters counters();
void reset_peak();
/// Waits for the device, and gives all that is kept back to it.
void release_cached();

/// Copies of `bytes` bytes, in the order of the stream. Copies from pageable host memory return when it may be reused;
/// copy_to_host waits until the bytes are there. Throw Error, of earlier failed work too.
void copy_to_device(void* to, const void* from, std::size_t bytes, void* stream);
void copy_to_host(void* to, const void* from, std::size_t bytes, void* stream);
void copy_on_device(void* to, const void* from, std::size_t bytes, void* stream);
/// Sets every byte to `value`.
void fill_bytes(void* to, int value, std::size_t bytes, void* stream);

/// Waits for all work in the stream. Throws Error when some of it failed.
void synchronize(void* stream);

/// A stream of its own. Work in it runs in order, beside that of other streams.
class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  void* get() const { return stream_; }

 private:
  void* stream_ = nullptr;
};

/// A mark in a stream.
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(void* stream);
  /// Waits on the host until the mark is passed.
  void wait() const;
  /// Milliseconds between two passed marks.
  float since(const Event& earlier) const;

 private:
  void* event_ = nullptr;
};

/// The error of the launch just made (a cudaError_t), 0 for none. With GLIMPSE_CUDA_SYNC=1 in the environment it waits
/// for the kernel first.
int launch_error(void* stream);
/// Throws Error for it. `launch` names the operation, its sizes and the shape of the launch.
[[noreturn]] void fail_launch(int error, const std::string& launch);

}  // namespace glimpse::cuda
