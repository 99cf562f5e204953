#pragma once
// The activations that additive attention offers for its scores.

#include <array>

#include "glimpse/kernels/base/choice.h"

namespace glimpse {

enum class Activation { tanh, relu };
constexpr auto choices(Activation) {
  return std::array{Choice{Activation::tanh, "tanh"}, Choice{Activation::relu, "relu"}};
}

}  // namespace glimpse
