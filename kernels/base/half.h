#pragma once
// The two 16-bit storage types. Arithmetic is done in float; conversion to them rounds to nearest, ties to even.

#include <bit>
#include <cstdint>
#include <type_traits>

#include "glimpse/kernels/base/host_device.h"

namespace glimpse {

/// bfloat16: the upper half of a float.
struct bf16 {
  std::uint16_t bits = 0;
  bf16() = default;
  GLIMPSE_HOST_DEVICE explicit bf16(float value) {
    std::uint32_t u = std::bit_cast<std::uint32_t>(value);
    if ((u & 0x7fffffffu) > 0x7f800000u)
      bits = static_cast<std::uint16_t>((u >> 16) | 0x40u);  // a NaN stays a (quiet) NaN
    else
      bits = static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  GLIMPSE_HOST_DEVICE explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

/// IEEE binary16.
struct f16 {
  std::uint16_t bits = 0;
  f16() = default;
  GLIMPSE_HOST_DEVICE explicit f16(float value) {
    const std::uint32_t u = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (u >> 16) & 0x8000u;
    const std::uint32_t magnitude = u & 0x7fffffffu;
    std::uint32_t half;
    if (magnitude >= 0x7f800000u) {
      half = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;  // NaN, infinity
    } else if (magnitude >= 0x477ff000u) {
      half = 0x7c00u;  // rounds past the largest finite value
    } else if (magnitude >= 0x38800000u) {
      half = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    } else {
      // Subnormal: adding 0.5 puts the bits of the result at the end of the float's mantissa, rounded by the addition.
      half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
    }
    bits = static_cast<std::uint16_t>(sign | half);
  }
  GLIMPSE_HOST_DEVICE explicit operator float() const {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t magnitude = bits & 0x7fffu;
    std::uint32_t u;
    if (magnitude >= 0x7c00u)
      u = 0x7f800000u | ((magnitude & 0x3ffu) << 13);
    else if (magnitude >= 0x400u)
      u = (magnitude << 13) + 0x38000000u;
    else
      u = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
    return std::bit_cast<float>(sign | u);
  }
};

/// The type that numbers of type T are summed in and computed with: double for double, float for everything else.
template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;

}  // namespace glimpse
