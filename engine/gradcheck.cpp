#include "glimpse/engine/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

using Values = std::vector<double>;

bool floating(const Tensor& x) { return x.dtype() == DType::f32 || x.dtype() == DType::f64; }

/// `f` with its inputs as numbers, so that they can be moved and its results weighted.
class Function {
 public:
  Function(const TensorFunction& f, const std::vector<Tensor>& inputs) : f_(f) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      check(inputs[i].defined(), "gradcheck: input {} is undefined", i);
      check(inputs[i].dtype() != DType::f32, "gradcheck: input {} {} is f32; f64 is needed", i, inputs[i].shape());
      inputs_.push_back(inputs[i].detach());
    }
    for (const Tensor& y : f_(leaves())) has_gradient_.push_back(y.requires_grad());
    check(std::find(has_gradient_.begin(), has_gradient_.end(), true) != has_gradient_.end(),
          "gradcheck: no result requires a gradient");
  }

  std::size_t input_count() const { return inputs_.size(); }
  bool checked(std::size_t input) const { return floating(inputs_[input]); }
  std::int64_t size(std::size_t input) const { return inputs_[input].numel(); }

  /// All results that have gradients, one after the other, with input number `input` moved by step * direction.
  Values results(std::size_t input, const Values& direction, double step) const {
    NoGrad no_grad;
    std::vector<Tensor> moved = copies();
    Values x = moved[input].to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += step * direction[i];
    moved[input].copy_from(from_vector(x, moved[input].shape()));
    return flatten(f_(moved));
  }
  Values results() const {
    NoGrad no_grad;
    return flatten(f_(copies()));
  }

  /// Gradients of sum(weights * results) for each checked input; zeros where the function gives none.
  std::vector<Values> gradients(const Values& weights) const {
    const std::vector<Tensor> x = leaves(), y = f_(x);
    Tensor total;
    auto weight = weights.begin();
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (!has_gradient_[i]) continue;
      const Values part(weight, weight + y[i].numel());
      weight += y[i].numel();
      const Tensor term = sum(y[i] * from_vector(part, y[i].shape()).to(y[i].dtype()).to(y[i].device())).to(DType::f64);
      total = total.defined() ? total + term : term;
    }
    total.backward();
    std::vector<Values> result;
    for (const Tensor& leaf : x) {
      const Tensor dx = leaf.grad();
      result.push_back(dx.defined() ? dx.to_vector<double>() : Values(static_cast<std::size_t>(leaf.numel()), 0.0));
    }
    return result;
  }

 private:
  std::vector<Tensor> copies() const {
    std::vector<Tensor> result;
    for (const Tensor& x : inputs_) result.push_back(x.clone());
    return result;
  }
  std::vector<Tensor> leaves() const {
    std::vector<Tensor> result = copies();
    for (std::size_t i = 0; i < result.size(); ++i)
      if (checked(i)) result[i].set_requires_grad();
    return result;
  }
  Values flatten(const std::vector<Tensor>& results) const {
    Values all;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!has_gradient_[i]) continue;
      const Values part = results[i].to_vector<double>();
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  const TensorFunction& f_;
  std::vector<Tensor> inputs_;
  std::vector<bool> has_gradient_;  // of each result
};

/// Central differences of all results along `direction`.
Values differences(const Function& f, std::size_t input, const Values& direction, double step) {
  Values up = f.results(input, direction, step);
  const Values down = f.results(input, direction, -step);
  for (std::size_t i = 0; i < up.size(); ++i) up[i] = (up[i] - down[i]) / (2 * step);
  return up;
}

/// Either sign, never near zero: an error in any one element shows.
Values random_direction(std::size_t n, Generator& generator) {
  Values v(n);
  for (double& x : v) x = (0.5 + generator.uniform()) * (generator.below(2) ? 1 : -1);
  return v;
}

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double dot_of_magnitudes(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] * b[i]);
  return sum;
}

Values unit(std::size_t n, std::size_t index) {
  Values v(n, 0.0);
  v[index] = 1;
  return v;
}

/// After a failure along random directions: the element of the input whose gradient is worst, then the result's
/// element.
[[noreturn]] void report(const Function& f, std::size_t input, const Values& u, const Values& gradient, double step) {
  std::size_t worst = 0;
  double worst_error = -1;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double error = std::abs(dot(u, differences(f, input, unit(gradient.size(), i), step)) - gradient[i]);
    if (error > worst_error || std::isnan(error)) {
      worst = i;
      worst_error = error;
    }
    if (std::isnan(error)) break;
  }
  const Values column = differences(f, input, unit(gradient.size(), worst), step);
  std::size_t result = 0;
  double found = 0;
  worst_error = -1;
  for (std::size_t i = 0; i < column.size(); ++i) {
    const double analytic = f.gradients(unit(column.size(), i))[input][worst];
    const double error = std::abs(analytic - column[i]);
    if (error > worst_error || std::isnan(error)) {
      result = i;
      found = analytic;
      worst_error = error;
    }
    if (std::isnan(error)) break;
  }
  fail(
      "gradcheck: the gradient of input {} is wrong, worst at element {}: d result[{}] / d input[{}] is {:.9g}, "
      "but differences give {:.9g}",
      input, worst, result, worst, found, column.empty() ? 0 : column[result]);
}

}  // namespace

void gradcheck(const TensorFunction& function, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  const Function f(function, inputs);
  const Values y = f.results();
  for (const double value : y) check(std::isfinite(value), "gradcheck: the function's result contains {}", value);
  check(f.results() == y, "gradcheck: two calls on the same inputs differ; a random generator must start anew in each");
  Generator generator(options.seed);
  for (int k = 0; k < options.directions; ++k) {
    const Values u = random_direction(y.size(), generator);
    const std::vector<Values> gradients = f.gradients(u);
    for (std::size_t input = 0; input < f.input_count(); ++input) {
      if (!f.checked(input)) continue;
      const Values v = random_direction(static_cast<std::size_t>(f.size(input)), generator);
      const Values change = differences(f, input, v, options.step);
      const double analytic = dot(gradients[input], v), numeric = dot(u, change);
      // Rounding of the results, divided by the step, is what differences cannot see below.
      const double scale =
          dot_of_magnitudes(gradients[input], v) + dot_of_magnitudes(u, change) + 1e-3 * dot_of_magnitudes(u, y);
      if (!(std::abs(analytic - numeric) <= options.tolerance * scale))
        report(f, input, u, gradients[input], options.step);
    }
  }
}

}  // namespace glimpse
