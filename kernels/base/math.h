#pragma once
// exp, tanh, erf and the logistic function as plain arithmetic, so that loops over floats vectorise. The double
// versions are the standard library's: gradient checks and reference sums use those. Accuracy is stated here and
// tested. CUDA's own functions are at least as accurate, and use the GPU's units for them.

#include <bit>
#include <cmath>
#include <cstdint>

#include "glimpse/kernels/base/host_device.h"

namespace glimpse::kernels {

/// e^x within 1.1 ulp on [-87.336, 88.722]; 0 below (so softmax of -inf is 0), infinity above, NaN stays NaN.
/// Cody-Waite reduction x = n ln2 + r, |r| <= ln2/2, and a degree-6 polynomial of e^r. No branches: in a loop that sums
/// up, a conditional result would keep the compiler from vectorising.
GLIMPSE_HOST_DEVICE inline float exp(float x) {
#ifdef __CUDA_ARCH__
  return ::expf(x);
#else
  constexpr float lowest = -87.3365f;  // below, results would be subnormal: slow, and of no use
  const float clamped = x < lowest ? lowest : (x > 89.0f ? 89.0f : x);
  constexpr float round = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const float shifted = clamped * 1.44269504088896341f + round;
  const float n = shifted - round;
  float r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // 2^n in two factors, so that neither the largest nor the smallest results overflow the exponent field.
  const std::int32_t i = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(round);
  const std::int32_t half = i >> 1;
  const float a = std::bit_cast<float>((half + 127) << 23);
  const float b = std::bit_cast<float>((i - half + 127) << 23);
  const std::int32_t keep = static_cast<std::int32_t>(x < lowest) - 1;  // all bits, or none
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(p * a * b) & keep);
#endif
}
GLIMPSE_HOST_DEVICE inline double exp(double x) { return std::exp(x); }

/// 1 / (1 + e^-x), within 3 ulp for x >= -87.336; below, e^x being less than 2^-126, to within 2^-126.
GLIMPSE_HOST_DEVICE inline float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }
GLIMPSE_HOST_DEVICE inline double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

/// tanh within 2 ulp: an odd polynomial near 0, where (1 - e^-2x) / (1 + e^-2x) would cancel.
GLIMPSE_HOST_DEVICE inline float tanh(float x) {
#ifdef __CUDA_ARCH__
  return ::tanhf(x);
#else
  const std::int32_t sign = std::bit_cast<std::int32_t>(x) & std::int32_t{-0x7fffffff - 1};
  const float a = std::bit_cast<float>(std::bit_cast<std::int32_t>(x) ^ sign);
  const float t = exp(-2.0f * a);
  const float far = (1.0f - t) / (1.0f + t);
  const float s = x * x;
  float p = -5.70498872745e-3f;
  p = p * s + 2.06390887954e-2f;
  p = p * s - 5.37397155531e-2f;
  p = p * s + 1.33314422036e-1f;
  p = p * s - 3.33332819422e-1f;
  const float near = p * s * a + a;
  const std::int32_t is_near = -static_cast<std::int32_t>(a < 0.625f);  // all bits, or none
  const std::int32_t y = (std::bit_cast<std::int32_t>(near) & is_near) | (std::bit_cast<std::int32_t>(far) & ~is_near);
  return std::bit_cast<float>(y | sign);
#endif
}
GLIMPSE_HOST_DEVICE inline double tanh(double x) { return std::tanh(x); }

/// erf within 3 ulp: an odd polynomial below 1, above it 1 - e^-x^2 q(1 / (1 + 0.4 x)). Both were fitted by weighted
/// least squares, weighted anew until the largest error was smallest.
GLIMPSE_HOST_DEVICE inline float erf(float x) {
#ifdef __CUDA_ARCH__
  return ::erff(x);
#else
  const std::int32_t sign = std::bit_cast<std::int32_t>(x) & std::int32_t{-0x7fffffff - 1};
  const float a = std::bit_cast<float>(std::bit_cast<std::int32_t>(x) ^ sign);
  const float s = a * a;
  float p = 7.854149589547887e-05f;
  p = p * s - 8.010288002e-04f;
  p = p * s + 5.188339390e-03f;
  p = p * s - 2.685381845e-02f;
  p = p * s + 1.128358543e-01f;
  p = p * s - 3.761262596e-01f;
  p = p * s + 1.283791065e-01f;  // and 1, which is added apart: it is exact
  const float near = p * a + a;
  const float t = 1.0f / (1.0f + 0.4f * a);
  float q = -2.296637893e-01f;
  q = q * t + 8.329137564e-01f;
  q = q * t - 5.846322179e-01f;
  q = q * t + 6.615878940e-01f;
  q = q * t + 6.558022648e-02f;
  q = q * t + 2.567948699e-01f;
  q = q * t - 2.585164737e-03f;
  const float far = 1.0f - exp(-s) * q;
  const std::int32_t is_near = -static_cast<std::int32_t>(a < 1.0f);  // all bits, or none
  const std::int32_t y = (std::bit_cast<std::int32_t>(near) & is_near) | (std::bit_cast<std::int32_t>(far) & ~is_near);
  return std::bit_cast<float>(y | sign);
#endif
}
GLIMPSE_HOST_DEVICE inline double erf(double x) { return std::erf(x); }

}  // namespace glimpse::kernels
