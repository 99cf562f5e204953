#include "glimpse/kernels/dropout.h"

#include <algorithm>

#include "glimpse/kernels/base/philox.h"
#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {

namespace {

constexpr std::int64_t blocks = 16, chunk = 4 * blocks;

/// philox(seed, first) .. philox(seed, first + 15), computed side by side.
void philox_blocks(std::uint64_t seed, std::uint64_t first, std::uint32_t (&random)[chunk]) {
  std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  std::uint32_t c0[blocks], c1[blocks], c2[blocks] = {}, c3[blocks] = {};
  for (std::uint64_t b = 0; b < blocks; ++b) {
    c0[b] = static_cast<std::uint32_t>(first + b);
    c1[b] = static_cast<std::uint32_t>((first + b) >> 32);
  }
  for (int round = 0; round < philox_rounds; ++round) {
#pragma omp simd
    for (int b = 0; b < blocks; ++b) philox_round(key0, key1, c0[b], c1[b], c2[b], c3[b]);
    key0 += philox_key_step0;
    key1 += philox_key_step1;
  }
#pragma omp simd
  for (int b = 0; b < blocks; ++b) {
    random[4 * b] = c0[b];
    random[4 * b + 1] = c1[b];
    random[4 * b + 2] = c2[b];
    random[4 * b + 3] = c3[b];
  }
}

}  // namespace

template <class T>
void dropout(Cpu, std::int64_t n, double p, std::uint64_t seed, std::uint64_t position, const T* x, T* y) {
  // Random numbers below `dropped` are. For p = 1 that lets 1 in 2^32 through, to a scale of 0.
  const std::uint32_t dropped = static_cast<std::uint32_t>(std::min(p * 0x1p32, 0x1p32 - 1));
  const T scale = p < 1 ? static_cast<T>(1 / (1 - p)) : T(0);
  vector_for((n + chunk - 1) / chunk, 64, [=](std::int64_t begin, std::int64_t end) {
    std::uint32_t random[chunk];
    for (std::int64_t c = begin; c < end; ++c) {
      philox_blocks(seed, position + static_cast<std::uint64_t>(c * blocks), random);
      const std::int64_t m = std::min(chunk, n - c * chunk);
      const T* from = x + c * chunk;
      T* to = y + c * chunk;
#pragma omp simd
      for (std::int64_t i = 0; i < m; ++i) {
        const T scaled = from[i] * scale;  // of all, so that no lane depends on a branch
        to[i] = random[i] >= dropped ? scaled : T(0);
      }
    }
  });
}

GLIMPSE_DROPOUT_KERNELS(Cpu, float)
GLIMPSE_DROPOUT_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
