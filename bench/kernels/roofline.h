#pragma once
// What a device can do, measured in the same run as the kernels.

#include "suite.h"

namespace glimpse::bench {

struct Roofline {
  double copy = 0;                ///< bytes a second, read and written, of a copy far larger than the caches
  double f32 = 0;                 ///< operations a second of a large matrix product
  double tf32 = 0, bf16 = 0;      ///< the same with factors rounded to TF32, and of bf16 numbers, on GPUs
  double launch_us = 0;           ///< a kernel that does next to nothing, one after another
  double replayed_launch_us = 0;  ///< the same in a CUDA graph; 0 without one

  /// The least time that the work takes if nothing but memory or arithmetic holds it up, in microseconds.
  double least_us(const Cost& cost) const;
};

/// `tiny` makes the measurement meaningless and quick.
Roofline measure_roofline(const Place& place, const Sampling& sampling, bool tiny);

/// Bytes of the largest cache.
double last_cache(const Place& place);
/// "NVIDIA H200" or "cpu x16".
std::string device_name(const Place& place);

}  // namespace glimpse::bench
