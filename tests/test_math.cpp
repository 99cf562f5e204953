#include <bit>
#include <cmath>
#include <limits>

#include "catch.h"
#include "glimpse/kernels/base/half.h"
#include "glimpse/kernels/base/math.h"

using namespace glimpse;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float smallest_normal = 0x1p-126f;

/// |found - truth| in units of the last place of truth as a float.
double ulps(float found, double truth) {
  const float rounded = static_cast<float>(truth);
  if (std::isinf(rounded)) return found == rounded ? 0 : HUGE_VAL;
  const int exponent = std::max(std::ilogb(std::abs(rounded)), -126);
  return std::abs(static_cast<double>(found) - truth) / std::ldexp(1.0, exponent - 23);
}

/// Calls f with floats from the whole range: every sign and exponent, and about 17 million mantissas.
template <class F>
void for_many_floats(F f) {
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 251) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!std::isnan(x)) f(x);
  }
}

struct Worst {
  double error = 0;
  float at = 0;
  void take(double e, float x) {
    if (e > error) {
      error = e;
      at = x;
    }
  }
};

}  // namespace

TEST_CASE("exp is within 1.1 ulp") {
  Worst worst;
  bool flushed = true;
  for_many_floats([&](float x) {
    const float y = kernels::exp(x);
    if (x < -87.3365f)
      flushed = flushed && y == 0;
    else
      worst.take(ulps(y, std::exp(static_cast<double>(x))), x);
  });
  INFO("at " << worst.at);
  CHECK(worst.error <= 1.1);
  CHECK(flushed);
  CHECK(kernels::exp(0.0f) == 1);
  CHECK(kernels::exp(-infinity) == 0);
  CHECK(kernels::exp(infinity) == infinity);
  CHECK(kernels::exp(88.73f) == infinity);
  CHECK(std::isnan(kernels::exp(std::nanf(""))));
  CHECK(std::isnan(kernels::exp(-std::nanf(""))));
}

TEST_CASE("tanh is within 2 ulp, odd, and never beyond 1") {
  Worst worst;
  bool odd = true, bounded = true;
  for_many_floats([&](float x) {
    const float y = kernels::tanh(x);
    worst.take(ulps(y, std::tanh(static_cast<double>(x))), x);
    odd = odd && std::bit_cast<std::uint32_t>(kernels::tanh(-x)) == std::bit_cast<std::uint32_t>(-y);
    bounded = bounded && std::abs(y) <= 1;
  });
  INFO("at " << worst.at);
  CHECK(worst.error <= 2);
  CHECK(odd);
  CHECK(bounded);
  CHECK(kernels::tanh(infinity) == 1);
  CHECK(kernels::tanh(-infinity) == -1);
  CHECK(std::isnan(kernels::tanh(std::nanf(""))));
}

TEST_CASE("erf is within 3 ulp, odd, and never beyond 1") {
  Worst worst;
  bool odd = true, bounded = true;
  for_many_floats([&](float x) {
    const float y = kernels::erf(x);
    worst.take(ulps(y, std::erf(static_cast<double>(x))), x);
    odd = odd && std::bit_cast<std::uint32_t>(kernels::erf(-x)) == std::bit_cast<std::uint32_t>(-y);
    bounded = bounded && std::abs(y) <= 1;
  });
  INFO("at " << worst.at);
  CHECK(worst.error <= 3);
  CHECK(odd);
  CHECK(bounded);
  CHECK(kernels::erf(infinity) == 1);
  CHECK(kernels::erf(-infinity) == -1);
  CHECK(std::isnan(kernels::erf(std::nanf(""))));
}

TEST_CASE("sigmoid is within 3 ulp") {
  Worst worst;
  bool vanishes = true;
  for_many_floats([&](float x) {
    const double truth = 1 / (1 + std::exp(-static_cast<double>(x)));
    const float y = kernels::sigmoid(x);
    if (x < -87.336f)
      vanishes = vanishes && std::abs(static_cast<double>(y) - truth) <= static_cast<double>(smallest_normal);
    else
      worst.take(ulps(y, truth), x);
  });
  INFO("at " << worst.at);
  CHECK(worst.error <= 3);
  CHECK(vanishes);
  CHECK(kernels::sigmoid(infinity) == 1);
  CHECK(kernels::sigmoid(-infinity) == 0);
  CHECK(std::isnan(kernels::sigmoid(std::nanf(""))));
}

TEST_CASE("every f16 and bf16 survives the way to float and back") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    f16 half;
    half.bits = static_cast<std::uint16_t>(bits);
    bf16 brain;
    brain.bits = static_cast<std::uint16_t>(bits);
    const float h = static_cast<float>(half), b = static_cast<float>(brain);
    if (std::isnan(h))
      REQUIRE(std::isnan(static_cast<float>(f16(h))));
    else
      REQUIRE(f16(h).bits == bits);
    if (std::isnan(b))
      REQUIRE(std::isnan(static_cast<float>(bf16(b))));
    else
      REQUIRE(bf16(b).bits == bits);
  }
}

TEST_CASE("f16 has the values that the standard gives it") {
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    f16 half;
    half.bits = static_cast<std::uint16_t>(bits);
    const int exponent = static_cast<int>(bits >> 10), mantissa = static_cast<int>(bits & 0x3ff);
    const double value = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    REQUIRE(static_cast<double>(static_cast<float>(half)) == value);
  }
  f16 half;
  half.bits = 0x7c00;
  CHECK(static_cast<float>(half) == infinity);
  half.bits = 0xfc00;
  CHECK(static_cast<float>(half) == -infinity);
  half.bits = 0x7e00;
  CHECK(std::isnan(static_cast<float>(half)));
}

namespace {

template <class Half>
float value(std::uint32_t bits) {
  Half half;
  half.bits = static_cast<std::uint16_t>(bits);
  return static_cast<float>(half);
}

/// Between each pair of finite neighbours: the middle goes to the even one, what lies next to it to the nearer one.
template <class Half>
void check_rounding(std::uint32_t largest_bits) {
  for (std::uint32_t bits = 0; bits < largest_bits; ++bits) {
    const float low = value<Half>(bits), high = value<Half>(bits + 1);
    const float middle = low + (high - low) / 2;
    const std::uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    for (const std::uint32_t sign : {0u, 0x8000u}) {
      const float s = sign ? -1.0f : 1.0f;
      REQUIRE(Half(s * middle).bits == (even | sign));
      REQUIRE(Half(s * std::nextafter(middle, 0.0f)).bits == (bits | sign));
      REQUIRE(Half(s * std::nextafter(middle, infinity)).bits == ((bits + 1) | sign));
    }
  }
}

}  // namespace

TEST_CASE("conversion to 16 bits rounds to nearest, ties to even") {
  check_rounding<f16>(0x7bff);
  check_rounding<bf16>(0x7f7f);
  CHECK(f16(std::nextafter(65520.0f, 0.0f)).bits == 0x7bff);
  CHECK(f16(65520.0f).bits == 0x7c00);  // the middle between the largest and what would follow it
  CHECK(f16(1e30f).bits == 0x7c00);
  CHECK(f16(-infinity).bits == 0xfc00);
  CHECK(bf16(infinity).bits == 0x7f80);
  CHECK(bf16(std::numeric_limits<float>::max()).bits == 0x7f80);
  // A NaN whose payload lies in the lower bits alone must not become infinity.
  CHECK(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0x7f800001u)))));
  CHECK(std::isnan(static_cast<float>(f16(std::bit_cast<float>(0x7f800001u)))));
}
