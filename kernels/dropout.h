#pragma once
// Inverted dropout with a mask that is computed, never stored.

#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// y[i] = x[i] / (1-p) where random number i is kept, else 0. Number i is number i % 4 of block position + i / 4 of the
/// Philox stream `seed`, so the mask depends on (seed, position, i) alone: the backward pass is the same call on the
/// gradient. 0 <= p <= 1. y may be x.
template <class T>
void dropout(Cpu, std::int64_t n, double p, std::uint64_t seed, std::uint64_t position, const T* x, T* y);
template <class T>
void dropout(Cuda, std::int64_t n, double p, std::uint64_t seed, std::uint64_t position, const T* x, T* y);

#define GLIMPSE_DROPOUT_KERNELS(Device, T) \
  template void dropout(Device, std::int64_t, double, std::uint64_t, std::uint64_t, const T*, T*);

}  // namespace glimpse::kernels
