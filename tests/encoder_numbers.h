#pragma once
// Weights and images by formula, as golden/make_encoder_goldens.py makes them.

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "glimpse/models/encoder/encoder.h"

namespace glimpse::test {

/// FNV-1a.
inline std::uint32_t checksum(std::string_view text) {
  std::uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619u;
  return hash;
}

/// Number i of a sequence in [0,1) that depends on its name.
inline double number(std::uint32_t salt, std::int64_t i) {
  std::uint32_t x = static_cast<std::uint32_t>(i) * 2654435761u + salt;
  x = (x ^ (x >> 16)) * 2246822519u;
  x = (x ^ (x >> 13)) * 3266489917u;
  x ^= x >> 16;
  return (x >> 8) / 16777216.0;
}

inline void fill_by_formula(const std::string& name, const Tensor& t) {
  const std::uint32_t salt = checksum(name);
  const bool matrix = t.rank() == 2 || t.rank() == 4;
  const double reach = matrix ? std::sqrt(6.0 * static_cast<double>(t.size(0)) / static_cast<double>(t.numel())) : 0;
  float* values = t.data<float>();
  for (std::int64_t i = 0; i < t.numel(); ++i) {
    const double u = number(salt, i);
    if (matrix)
      values[i] = static_cast<float>((2 * u - 1) * reach);
    else if (name.ends_with("running_var"))
      values[i] = static_cast<float>(0.5 + u);
    else if (name.ends_with("running_mean") || name.ends_with("bias"))
      values[i] = static_cast<float>(0.4 * u - 0.2);
    else
      values[i] = static_cast<float>(0.5 + 0.5 * u);
  }
}

inline Encoder encoder_by_formula(const EncoderOptions& options) {
  Encoder encoder = make_encoder(options);
  for (const NamedTensor& t : named_tensors(encoder)) fill_by_formula(t.name, t.tensor);
  return encoder;
}

/// (count,3,size,size), in [-2,2).
inline Tensor images_by_formula(std::int64_t count, std::int64_t size) {
  const Tensor images = empty({count, 3, size, size});
  const std::uint32_t salt = checksum("images");
  for (std::int64_t i = 0; i < images.numel(); ++i)
    images.data<float>()[i] = static_cast<float>(4 * number(salt, i) - 2);
  return images;
}

/// |a - b| / |b|.
inline double relative_error(const float* a, const float* b, std::int64_t n) {
  double difference = 0, norm = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    norm += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(difference / norm);
}

inline double relative_error(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() ? relative_error(a.data<float>(), b.data<float>(), a.numel()) : INFINITY;
}

/// The evenly spread elements that a golden slice holds.
inline Tensor golden_slice(const Tensor& features) {
  constexpr std::int64_t per_slice = 200;
  const std::int64_t step = std::max<std::int64_t>(1, features.numel() / per_slice);
  const Tensor slice = empty({std::min(per_slice, (features.numel() + step - 1) / step)});
  for (std::int64_t i = 0; i < slice.numel(); ++i) slice.data<float>()[i] = features.data<float>()[i * step];
  return slice;
}

}  // namespace glimpse::test
