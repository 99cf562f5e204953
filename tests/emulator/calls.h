#pragma once
// What the library has asked of the device: on a GPU each of these costs the host a call, and some of them a wait.

#include <cstdint>

namespace glimpse::emulator {

struct Calls {
  std::int64_t launches = 0;          ///< of kernels
  std::int64_t products = 0;          ///< by what stands for cuBLAS
  std::int64_t copies_up = 0;         ///< from the host
  std::int64_t copies_down = 0;       ///< to the host
  std::int64_t copies_on_device = 0;  ///< from the device to itself
  std::int64_t fills = 0;             ///< of bytes
  std::int64_t waits = 0;             ///< of the host, for a stream or for all of the device
  std::int64_t allocations = 0;       ///< that the driver was asked for
  std::int64_t frees = 0;             ///< that went back to the driver
  std::int64_t bytes_up = 0;          ///< of all copies from the host

  friend Calls operator-(const Calls& after, const Calls& before);
};

/// Of the whole process, from its start.
Calls calls();

/// Counts one more, or `n` more, of a member. For the emulator's own files.
void count_call(std::int64_t Calls::*kind, std::int64_t n = 1);

}  // namespace glimpse::emulator
