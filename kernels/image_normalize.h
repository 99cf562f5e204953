#pragma once
// From the bytes of images to what a network sees.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/host_device.h"

namespace glimpse::kernels {

/// Per channel: red, green, blue.
struct Normalization {
  float mean[3], std[3];

  /// What byte `value` of a channel becomes. The same bits everywhere: there is nothing that could be contracted.
  GLIMPSE_HOST_DEVICE float operator()(int value, int channel) const {
    return (static_cast<float>(value) / 255.0f - mean[channel]) / std[channel];
  }
};

/// y (n,3,pixels) = (rgb / 255 - mean) / std, rgb being (n,pixels,3).
void image_normalize(Cpu, std::int64_t n, std::int64_t pixels, const Normalization& normalization,
                     const std::uint8_t* rgb, float* y);
void image_normalize(Cuda, std::int64_t n, std::int64_t pixels, const Normalization& normalization,
                     const std::uint8_t* rgb, float* y);

}  // namespace glimpse::kernels
