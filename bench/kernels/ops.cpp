// Ops as the engine runs them, memory and graph included: rows that follow from the cases in tests/cases/. An op whose
// case has bench_sizes needs no line here.

#include "glimpse/engine/autograd.h"
#include "glimpse/tests/op_case.h"
#include "suite.h"

namespace glimpse::bench {
namespace {

using test::OpCase;
using test::Tensors;

double bytes_of(const Tensors& tensors) {
  double bytes = 0;
  for (const Tensor& x : tensors)
    if (x.defined()) bytes += static_cast<double>(x.bytes());
  return bytes;
}

double largest_error(const Tensors& got, const Tensors& truth) {
  double largest = 0;
  for (std::size_t i = 0; i < truth.size(); ++i)
    if (truth[i].defined())
      largest = std::max(largest, relative_error(got[i].to_vector<double>(), truth[i].to_vector<double>()));
  return largest;
}

/// An op in f32 with inputs for each call in turn.
struct Trial {
  const OpCase& op;
  test::Sizes sizes;
  std::vector<Tensors> leaves;
  Tensors results = {};
  Tensors weights = {};  // of the results: where gradients begin

  void forward(std::size_t set) {
    const NoGrad none;
    results = op.run(sizes, leaves[set]);
  }

  void forward_and_backward(std::size_t set) {
    for (const Tensor& x : leaves[set]) x.clear_grad();
    results = op.run(sizes, leaves[set]);
    if (weights.empty()) weights = test::weights_of(results);
    // A node instead of sum(weights * results), whose time is not the op's.
    const Tensor end = empty({}, DType::f32, results[0].device());
    differentiable("benchmark", {end}, results, [this](const Gradients&) { return weights; })[0].backward();
  }

  Tensors gradients() const {
    Tensors all;
    for (const Tensor& x : leaves[0]) all.push_back(x.grad());
    return all;
  }

  /// Of one call, which is made: results and gradients are read and written besides, and each factor's gradient is as
  /// much work as the result.
  Cost cost(bool backward) {
    backward ? forward_and_backward(0) : forward(0);
    Cost cost{op.bytes ? op.bytes(sizes) : bytes_of(leaves[0]) + bytes_of(results), op.flops ? op.flops(sizes) : 0};
    if (backward) cost = {cost.bytes + bytes_of(weights) + bytes_of(gradients()), 3 * cost.operations};
    return cost;
  }
};

double error(const Trial& trial, bool backward) {
  const Tensors inputs = test::make_inputs(trial.op, trial.sizes, DType::f64);
  if (!backward) {
    const NoGrad none;
    return largest_error(trial.results, trial.op.run(trial.sizes, inputs));
  }
  const test::Outcome truth = test::evaluate(trial.op, trial.sizes, inputs);
  return std::max(largest_error(trial.results, truth.results), largest_error(trial.gradients(), truth.gradients));
}

template <class Device>
Subject subject(Device device, const OpCase& op, const test::Sizes& sizes, bool backward, const Rotation& rotation) {
  const Tensors inputs = test::make_inputs(op, sizes, DType::f32, device_of(device));
  const auto trial = std::make_shared<Trial>(Trial{op, sizes, {test::leaves_of(op, inputs)}});
  const Cost cost = trial->cost(backward);
  const int sets = Lab(device, cost, rotation, bytes_of(inputs)).sets();
  while (static_cast<int>(trial->leaves.size()) < sets) trial->leaves.push_back(test::leaves_of(op, inputs));
  return {cost, sets,
          [=](int set) {
            const auto i = static_cast<std::size_t>(set);
            backward ? trial->forward_and_backward(i) : trial->forward(i);
          },
          [=] { return error(*trial, backward); }};
}

void add_rows(Suite& suite) {
  for (const OpCase& op : test::op_cases()) {
    if (op.bench_sizes.empty()) continue;
    for (const test::Sizes& sizes : suite.tiny() ? std::vector<test::Sizes>{op.sizes.back()} : op.bench_sizes)
      for (const bool backward : {false, true})
        suite.add<float>("op/" + test::title(op, sizes) + (backward ? " with gradients" : ""), {},
                         [&op, sizes, backward](auto device, float, const Rotation& rotation) {
                           return subject(device, op, sizes, backward, rotation);
                         });
  }
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
