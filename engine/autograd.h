#pragma once
// Reverse-mode differentiation. A differentiable op returns a tensor that remembers how to turn the gradient of its
// result into the gradients of its inputs; Tensor::backward() walks these in reverse order of creation.

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// One gradient per input (or output) of an op, in order. An undefined tensor stands for "none": not needed, or zero.
using Gradients = std::vector<Tensor>;

/// Turns the gradients of an op's results (undefined where a result was not used) into those of its inputs.
using Backward = std::function<Gradients(const Gradients& dy)>;

/// Whether an op on these inputs is to be recorded: one requires a gradient, and no NoGrad lives.
bool needs_gradient(std::initializer_list<Tensor> inputs);

/// Attaches a backward function to the results `y` of an op named `name`. Without an input that requires a gradient, or
/// under NoGrad, `y` is returned as it is and `backward` is dropped. Backward functions run under NoGrad, may capture
/// inputs and results (as they are before this call), and are freed as soon as they have run.
std::vector<Tensor> differentiable(const char* name, std::vector<Tensor> y, std::initializer_list<Tensor> inputs,
                                   Backward backward);
std::vector<Tensor> differentiable(const char* name, std::vector<Tensor> y, const std::vector<Tensor>& inputs,
                                   Backward backward);

/// The common case of one result: `backward` takes its gradient, and returns one gradient or a list of them.
template <class F>
requires std::invocable<F, const Tensor&> Tensor differentiable(const char* name, Tensor y,
                                                                std::initializer_list<Tensor> inputs, F backward) {
  if (!needs_gradient(inputs)) return y;
  return differentiable(name, std::vector<Tensor>{std::move(y)}, inputs,
                        [backward = std::move(backward)](const Gradients& dy) -> Gradients {
                          if constexpr (std::convertible_to<std::invoke_result_t<F, const Tensor&>, Tensor>)
                            return {backward(dy[0])};
                          else
                            return backward(dy[0]);
                        })[0];
}

/// Whether ops record gradients on this thread.
bool grad_enabled();

/// While one lives, no op of this thread records gradients.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

}  // namespace glimpse
