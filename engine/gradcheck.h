#pragma once
// Compares the gradients of a function with finite differences: for tests of your own ops.

#include <concepts>
#include <cstdint>
#include <functional>
#include <vector>

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// A function under test: from its inputs to its results, the same results at each call.
using TensorFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

struct GradcheckOptions {
  double step = 1e-6;       ///< by which an element is moved up and down
  double tolerance = 1e-6;  ///< of a difference, relative to the sum of what it is made of
  int directions = 3;       ///< random directions tried
  std::uint64_t seed = 1;   ///< of the directions
};

/// Throws Error unless the gradients that `f` records for its f64 inputs agree with central differences (inputs of
/// other types are passed on as they are; f32 is refused, being too coarse for differences). First u.J.v is compared
/// along random directions u and v, one input at a time; where that fails, element by element, and the message names
/// the input, its element and the result's element with the largest error, the gradient found there, and what it should
/// be. Inputs must lie away from kinks (relu's 0) by more than the step.
void gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

/// For a function of one result.
template <class F>
requires requires(const F& f, const std::vector<Tensor>& inputs) {
  { f(inputs) } -> std::same_as<Tensor>;
}
void gradcheck(const F& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {}) {
  gradcheck(TensorFunction([&f](const std::vector<Tensor>& x) { return std::vector<Tensor>{f(x)}; }), inputs, options);
}

}  // namespace glimpse
