#include "op_case.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "glimpse/engine/autograd.h"

namespace glimpse::test {
namespace {

std::vector<OpCase>& registry() {
  static std::vector<OpCase> cases;
  return cases;
}

bool floating(const Tensor& x) { return x.dtype() == DType::f32 || x.dtype() == DType::f64; }

Tensor exact_in_f32(const Tensor& x) { return x.to(DType::f32).to(DType::f64); }

}  // namespace

Tensor Draw::normal(const Shape& shape, double mean, double std) {
  Tensor x = empty(shape, DType::f64);
  fill_normal(x, mean, std, generator_);
  return exact_in_f32(x);
}

Tensor Draw::uniform(const Shape& shape, double low, double high) {
  Tensor x = empty(shape, DType::f64);
  fill_uniform(x, low, high, generator_);
  return exact_in_f32(x);
}

Tensor Draw::away_from_zero(const Shape& shape, double low, double high) {
  const Tensor x = uniform(shape, low, high);
  for (std::int64_t i = 0; i < x.numel(); ++i)
    if (generator_.below(2)) at(x, i) = -at(x, i);
  return x;
}

Tensor Draw::distinct(const Shape& shape) {
  Tensor x = empty(shape, DType::f64);
  const std::int64_t n = x.numel();
  for (std::int64_t i = 0; i < n; ++i) at(x, i) = 0.1 * static_cast<double>(i - n / 2);
  for (std::int64_t i = n - 1; i > 0; --i)
    std::swap(at(x, i), at(x, static_cast<std::int64_t>(generator_.below(static_cast<std::uint64_t>(i) + 1))));
  return exact_in_f32(x);
}

Tensor Draw::words(const Shape& shape, std::int64_t limit) {
  Tensor x = empty(shape, DType::i32);
  for (std::int64_t i = 0; i < x.numel(); ++i)
    x.data<std::int32_t>()[i] = static_cast<std::int32_t>(generator_.below(static_cast<std::uint64_t>(limit)));
  return x;
}

const std::vector<OpCase>& op_cases() {
  auto& cases = registry();
  const auto by_name = [](const OpCase& a, const OpCase& b) { return a.name < b.name; };
  if (!std::is_sorted(cases.begin(), cases.end(), by_name)) std::sort(cases.begin(), cases.end(), by_name);
  return cases;
}

OpCaseRegistrar::OpCaseRegistrar(OpCase op) { registry().push_back(std::move(op)); }

Tensors make_inputs(const OpCase& op, const Sizes& sizes, DType dtype, Device device) {
  Draw draw(7);
  Tensors inputs = op.inputs(sizes, draw);
  for (Tensor& x : inputs) x = (floating(x) ? x.to(dtype) : x).to(device);
  return inputs;
}

bool differentiated(const OpCase& op, const Tensors& inputs, std::size_t i) {
  return floating(inputs[i]) && std::find(op.constants.begin(), op.constants.end(), i) == op.constants.end();
}

Tensors leaves_of(const OpCase& op, const Tensors& inputs) {
  Tensors leaves;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(inputs[i].clone());  // an op that writes into its inputs must not disturb the next run
    if (differentiated(op, inputs, i)) leaves.back().set_requires_grad();
  }
  return leaves;
}

Tensors weights_of(const Tensors& results) {
  Draw draw(11);
  Tensors weights;
  for (const Tensor& y : results)
    weights.push_back(y.requires_grad() ? draw.uniform(y.shape(), -1, 1).to(y.dtype()).to(y.device()) : Tensor());
  return weights;
}

Outcome evaluate(const OpCase& op, const Sizes& sizes, const Tensors& inputs) {
  const Tensors leaves = leaves_of(op, inputs);
  Outcome outcome{op.run(sizes, leaves), {}};
  const Tensors weights = weights_of(outcome.results);
  Tensor total;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!weights[i].defined()) continue;
    const Tensor part = sum(outcome.results[i] * weights[i]);
    total = total.defined() ? total + part : part;
  }
  if (total.defined()) total.backward();
  for (const Tensor& x : leaves) outcome.gradients.push_back(x.grad());
  for (Tensor& y : outcome.results) y = y.detach();
  return outcome;
}

std::string difference(const Tensor& truth, const Tensor& found, double eps, double absolute, double relative) {
  if (truth.defined() != found.defined()) return truth.defined() ? "undefined" : "defined, but should not be";
  if (!truth.defined()) return "";
  if (truth.shape() != found.shape()) return "shape " + found.shape().str() + ", not " + truth.shape().str();
  const std::vector<double> t = truth.to_vector<double>(), f = found.to_vector<double>();
  double worst = 0;
  std::size_t place = 0;
  for (std::size_t i = 0; i < t.size(); ++i) {
    if (t[i] == f[i] || (std::isnan(t[i]) && std::isnan(f[i]))) continue;
    const double excess = std::abs(t[i] - f[i]) / (eps * (absolute + relative * std::abs(t[i])));
    if (!(excess <= worst)) {
      worst = std::isnan(excess) ? HUGE_VAL : excess;
      place = i;
    }
  }
  if (worst <= 1) return "";
  std::ostringstream text;
  text << "element " << place << " is " << f[place] << ", not " << t[place] << ": " << worst << " times the tolerance";
  return text.str();
}

std::string title(const OpCase& op, const Sizes& sizes) {
  std::string text = op.name + " (";
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(sizes[i]);
  }
  return text += ')';
}

}  // namespace glimpse::test
