#pragma once
// Arrays of random numbers. Element i depends on (seed, position, i) alone: it is made of 32-bit numbers 2i and 2i + 1
// of the Philox stream `seed` from block `position` on. Both types hold the same numbers, rounded.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/philox.h"

namespace glimpse::kernels {

/// [0,1) from 64 random bits, exact in double: the upper 53.
GLIMPSE_HOST_DEVICE inline double unit_double(std::uint32_t high, std::uint32_t low) {
  return static_cast<double>((std::uint64_t{high} << 32 | low) >> 11) * 0x1p-53;
}

/// Uniform in [low, high).
template <class T>
void fill_uniform(Cpu, std::int64_t n, double low, double high, std::uint64_t seed, std::uint64_t position, T* x);
template <class T>
void fill_uniform(Cuda, std::int64_t n, double low, double high, std::uint64_t seed, std::uint64_t position, T* x);

/// From N(mean, std^2), by Box and Muller's transform of one block into two numbers.
template <class T>
void fill_normal(Cpu, std::int64_t n, double mean, double std, std::uint64_t seed, std::uint64_t position, T* x);
template <class T>
void fill_normal(Cuda, std::int64_t n, double mean, double std, std::uint64_t seed, std::uint64_t position, T* x);

#define GLIMPSE_RANDOM_KERNELS(Device, T)                                                             \
  template void fill_uniform(Device, std::int64_t, double, double, std::uint64_t, std::uint64_t, T*); \
  template void fill_normal(Device, std::int64_t, double, double, std::uint64_t, std::uint64_t, T*);

}  // namespace glimpse::kernels
