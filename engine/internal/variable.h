#pragma once
// How autograd hangs on tensors.

#include <cstdint>
#include <memory>
#include <vector>

#include "glimpse/engine/autograd.h"

namespace glimpse {

/// One executed op in the graph.
struct Node {
  const char* name = "";
  std::uint64_t order = 0;                        // creation order on this process: every consumer has a higher one
  std::vector<std::shared_ptr<Variable>> inputs;  // null where an input needs no gradient
  Backward backward;                              // empty once it has run
  Gradients dy;                                   // gradients of the results, summed up while backward() walks
  bool queued = false;
};

/// The autograd side of a tensor: either a leaf that collects `grad`, or result number `slot` of `node`.
struct Variable {
  const Shape shape;  // of the tensor, and so of its gradient
  const DType dtype;
  Tensor grad;
  std::shared_ptr<Node> node;
  std::size_t slot = 0;

  explicit Variable(const Tensor& x) : shape(x.shape()), dtype(x.dtype()) {}
  /// Hands the node to a list that is emptied in a loop: a long chain (an unrolled recurrence) must not be destroyed by
  /// recursion.
  ~Variable();
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

  static const std::shared_ptr<Variable>& of(const Tensor& x) { return x.variable_; }
  static void attach(Tensor& x, std::shared_ptr<Variable> variable) { x.variable_ = std::move(variable); }
};

}  // namespace glimpse
