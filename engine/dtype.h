#pragma once
// Element types and devices of tensors.

#include <array>
#include <cstddef>
#include <cstdint>

#include "glimpse/kernels/base/choice.h"
#include "glimpse/kernels/base/half.h"

namespace glimpse {

/// f32 is for everything, f64 for gradient checks, i32 for words and labels; f16 and bf16 are storage only.
enum class DType : std::uint8_t { f32, f64, i32, bf16, f16 };

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return 8;
    case DType::bf16:
    case DType::f16:
      return 2;
    default:
      return 4;
  }
}

constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::i32:
      return "i32";
    case DType::bf16:
      return "bf16";
    default:
      return "f16";
  }
}

template <class T>
inline constexpr DType dtype_of = DType::f32;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<bf16> = DType::bf16;
template <>
inline constexpr DType dtype_of<f16> = DType::f16;

/// Where a tensor's memory lies.
enum class Device : std::uint8_t { cpu, cuda };
constexpr auto choices(Device) { return std::array{Choice{Device::cpu, "cpu"}, Choice{Device::cuda, "cuda"}}; }

}  // namespace glimpse
