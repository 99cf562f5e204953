#pragma once
// The functions that networks apply element by element, by name: what a step of inference may do to its results.

#include <cstdint>
#include <limits>

#include "glimpse/kernels/functors.h"

namespace glimpse::kernels {

enum class Nonlinearity : std::uint8_t { none, relu, relu6, silu, gelu, sigmoid };

/// What a nonlinearity that only bounds its argument leaves of it; everything for the others.
struct Bounds {
  float low, high;
};
constexpr Bounds bounds_of(Nonlinearity f) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const bool relu = f == Nonlinearity::relu || f == Nonlinearity::relu6;
  return {relu ? 0.0f : -infinity, f == Nonlinearity::relu6 ? 6.0f : infinity};
}
/// Whether it does more than that.
constexpr bool bends(Nonlinearity f) {
  return f == Nonlinearity::silu || f == Nonlinearity::gelu || f == Nonlinearity::sigmoid;
}

/// Calls body with the functor of a nonlinearity that bends.
template <class Body>
GLIMPSE_HOST_DEVICE void with_functor(Nonlinearity f, const Body& body) {
  if (f == Nonlinearity::silu)
    body(Silu{});
  else if (f == Nonlinearity::gelu)
    body(Gelu{});
  else
    body(Sigmoid{});
}

}  // namespace glimpse::kernels
