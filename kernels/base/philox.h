#pragma once
// Philox4x32-10: four random 32-bit numbers from a key and a counter (Salmon et al., SC 2011). Plain arithmetic, the
// same source on every device.

#include <cstdint>

#include "glimpse/kernels/base/host_device.h"

namespace glimpse::kernels {

struct Philox4 {
  std::uint32_t v[4];
};

/// One of the ten rounds on the counter (c0,c1,c2,c3).
GLIMPSE_HOST_DEVICE inline void philox_round(std::uint32_t key0, std::uint32_t key1, std::uint32_t& c0,
                                             std::uint32_t& c1, std::uint32_t& c2, std::uint32_t& c3) {
  const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
  const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
  c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ key0;
  c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ key1;
  c1 = static_cast<std::uint32_t>(p1);
  c3 = static_cast<std::uint32_t>(p0);
}

/// The keys of rounds 0 to 9 are key + round * philox_key_step.
inline constexpr int philox_rounds = 10;
inline constexpr std::uint32_t philox_key_step0 = 0x9E3779B9u, philox_key_step1 = 0xBB67AE85u;

/// Block number `position` of the stream `seed`.
GLIMPSE_HOST_DEVICE inline Philox4 philox(std::uint64_t seed, std::uint64_t position) {
  std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  std::uint32_t c0 = static_cast<std::uint32_t>(position), c1 = static_cast<std::uint32_t>(position >> 32), c2 = 0,
                c3 = 0;
  for (int round = 0; round < philox_rounds; ++round) {
    philox_round(key0, key1, c0, c1, c2, c3);
    key0 += philox_key_step0;
    key1 += philox_key_step1;
  }
  return {{c0, c1, c2, c3}};
}

/// [0,1) from 32 random bits, exact in float: the upper 24 bits.
GLIMPSE_HOST_DEVICE inline float unit_float(std::uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

}  // namespace glimpse::kernels
