#include "glimpse/engine/optimizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <set>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

constexpr std::size_t alignment = 64;

/// A kernels::StepDecision as a tensor holds it.
using Numbers = std::array<double, 8>;

/// Memory that a live optimizer has gathered: a parameter that two of them update is a mistake that shows only in the
/// results.
struct Claims {
  std::mutex mutex;
  std::set<const Storage*> storages;
};
Claims& claims() {
  static Claims* all = new Claims;  // never destroyed: optimizers may have static lifetime
  return *all;
}

void check_option(const std::string& name, const char* option, double value, double low, double high) {
  check(value >= low && value <= high && std::isfinite(value), "{}: {} must lie in [{}, {}], got {}", name, option, low,
        high, value);
}

constexpr double largest = std::numeric_limits<double>::max();
/// Decay rates: 1 would never take up a gradient, and would divide by zero in Adam's bias correction.
constexpr double below_one = 1 - std::numeric_limits<double>::epsilon();

/// An eps that vanishes in f32 would make 0/0 of an element that never had a gradient.
constexpr double least_eps = std::numeric_limits<float>::min();

std::vector<std::string> with_momentum(std::vector<std::string> moments, double momentum) {
  if (momentum != 0) moments.push_back("momentum");
  return moments;
}

}  // namespace

Optimizer::Optimizer(const char* name, std::vector<NamedTensor> parameters, double learning_rate,
                     const ClipOptions& clip, std::vector<std::string> moments)
    : name_(name), parameters_(std::move(parameters)), moment_names_(std::move(moments)), clip_(clip) {
  set_learning_rate(learning_rate);
  check_option(name_, "clip_value", clip_.clip_value, 0, largest);
  check_option(name_, "clip_norm", clip_.clip_norm, 0, largest);
  check_parameters();
  gather_parameters();
}

Optimizer::~Optimizer() {
  std::lock_guard lock(claims().mutex);
  for (const NamedTensor& p : parameters_) claims().storages.erase(p.tensor.storage().get());
}

void Optimizer::check_parameters() const {
  check(!parameters_.empty(), "{}: no parameters", name_);
  std::set<std::string> names;
  std::map<const Storage*, std::string> storages;
  const Tensor& first = parameters_[0].tensor;
  for (const auto& [parameter, p, trainable] : parameters_) {
    check(p.defined(), "{}: parameter {} is undefined", name_, parameter);
    check(names.insert(parameter).second, "{}: the name {} stands twice", name_, parameter);
    check(p.dtype() == DType::f32 || p.dtype() == DType::f64, "{}: parameter {} is {}, not f32 or f64", name_,
          parameter, name_of(p.dtype()));
    check(p.dtype() == first.dtype() && p.device() == first.device(),
          "{}: parameter {} is {} on {}, but {} is {} on {}", name_, parameter, name_of(p.dtype()), name_of(p.device()),
          parameters_[0].name, name_of(first.dtype()), name_of(first.device()));
    check(p.requires_grad(), "{}: parameter {} requires no gradient", name_, parameter);
    const auto [other, inserted] = storages.emplace(p.storage().get(), parameter);
    check(inserted, "{}: parameters {} and {} share memory", name_, other->second, parameter);
    check(p.bytes() == p.storage()->bytes(), "{}: parameter {} is a part of a larger tensor", name_, parameter);
  }
}

void Optimizer::gather_parameters() {
  std::size_t bytes = 0;
  for (const NamedTensor& p : parameters_) {
    offsets_.push_back(bytes);
    bytes = (bytes + p.tensor.bytes() + alignment - 1) / alignment * alignment;
  }
  const DType dtype = parameters_[0].tensor.dtype();
  const Shape shape{static_cast<std::int64_t>(bytes / size_of(dtype))};
  const Device device = parameters_[0].tensor.device();
  gradients_ = zeros(shape, dtype, device);
  for (std::size_t i = 0; i < moment_names_.size(); ++i) moments_.push_back(zeros(shape, dtype, device));
  flat_ = zeros(shape, dtype, device);
  decision_ = Tensor({std::tuple_size_v<Numbers>}, DType::f64, device);
  set_steps(0);

  std::lock_guard lock(claims().mutex);
  for (const NamedTensor& p : parameters_)
    check(!claims().storages.contains(p.tensor.storage().get()), "{}: another optimizer already updates parameter {}",
          name_, p.name);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& p = parameters_[i].tensor;
    claims().storages.insert(p.storage().get());
    p.storage()->move_to(flat_.storage(), offsets_[i]);
  }
  adopt_gradients();
}

Tensor Optimizer::part(const Tensor& flat, std::size_t index) const {
  const Tensor& p = parameters_[index].tensor;
  return Tensor(flat.storage(), offsets_[index], p.shape(), p.dtype());
}

/// Puts back gradients that clear_grad() or set_grad() took out of the flat buffer.
void Optimizer::adopt_gradients() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& p = parameters_[i].tensor;
    const Tensor given = p.grad();
    const Tensor place = part(gradients_, i);
    if (given.defined() && given.raw() == place.raw()) continue;
    if (given.defined())
      place.copy_from(given);
    else
      place.fill(0);
    p.set_grad(place);
  }
}

/// Whose gradient has an element there.
std::string Optimizer::parameter_at(std::int64_t position) const {
  if (position >= gradients_.numel())
    return "the norm of all gradients";  // each is finite, but the sum of their squares is not
  std::size_t i = 0;
  while (i + 1 < offsets_.size() && offsets_[i + 1] <= static_cast<std::size_t>(position) * size_of(gradients_.dtype()))
    ++i;
  return parameters_[i].name;
}

void Optimizer::step_ahead() {
  adopt_gradients();
  const double value = clip_.clip_value > 0 ? clip_.clip_value : std::numeric_limits<double>::infinity();
  const kernels::StepRule rule{value, clip_.clip_norm, learning_rate_, beta1_, beta2_};
  auto* const decision = reinterpret_cast<kernels::StepDecision*>(decision_.data<double>());
  on(gradients_, [&]<class T>(auto device) {
    kernels::decide_step(device, gradients_.numel(), rule, gradients_.data<T>(), decision);
  });
  update(decision);
  outcome_.reset();
}

bool Optimizer::step() {
  step_ahead();
  return outcome().updated;
}

const StepOutcome& Optimizer::outcome() const {
  if (!outcome_) outcome_ = outcome_of(decision_.to_vector<double>());
  return *outcome_;
}

StepOutcome Optimizer::outcome_of(std::span<const double> numbers) const {
  Numbers eight{};
  check(numbers.size() == eight.size(), "{}: a decision has 8 numbers, not {}", name_, numbers.size());
  std::copy(numbers.begin(), numbers.end(), eight.begin());
  const auto d = std::bit_cast<kernels::StepDecision>(eight);
  return {d.bad < 0, d.norm, d.bad < 0 ? "" : parameter_at(static_cast<std::int64_t>(d.bad)),
          static_cast<std::int64_t>(d.count)};
}

void Optimizer::set_steps(double count) {
  const auto numbers = std::bit_cast<Numbers>(kernels::StepDecision{.count = count});
  decision_.copy_from(from_vector(std::vector<double>(numbers.begin(), numbers.end())));
  outcome_.reset();
}

void Optimizer::zero_grad() {
  adopt_gradients();
  gradients_.fill(0);
}

void Optimizer::set_learning_rate(double value) {
  check_option(name_, "learning_rate", value, 0, largest);
  learning_rate_ = value;
}

std::vector<NamedTensor> Optimizer::state() const {
  std::vector<NamedTensor> state = {{"step", from_vector(std::vector<double>{static_cast<double>(steps())}, {}), false},
                                    {"learning_rate", from_vector(std::vector<double>{learning_rate_}, {}), false}};
  for (std::size_t m = 0; m < moments_.size(); ++m)
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      state.push_back({moment_names_[m] + "." + parameters_[i].name, part(moments_[m], i), false});
  return state;
}

void Optimizer::load_state(const std::vector<NamedTensor>& given) {
  const std::vector<NamedTensor> target = this->state();
  // The two scalars of `target` are copies: they show whether the values make sense before anything is overwritten.
  for (const NamedTensor& t : given) {
    if (t.name != "step" && t.name != "learning_rate") continue;
    const double value = t.tensor.item();
    check(std::isfinite(value) && value >= 0, "{}: the state's {} is {}", name_, t.name, value);
  }
  load_tensors(target, given, name_ + " state");
  set_steps(std::trunc(target[0].tensor.item()));
  learning_rate_ = target[1].tensor.item();
}

Sgd::Sgd(std::vector<NamedTensor> parameters, const SgdOptions& options)
    : Optimizer("sgd", std::move(parameters), options.learning_rate, {options.clip_value, options.clip_norm},
                with_momentum({}, options.momentum)),
      options_(options) {
  check_option("sgd", "momentum", options.momentum, 0, below_one);
  check_option("sgd", "weight_decay", options.weight_decay, 0, largest);
}

void Sgd::update(const kernels::StepDecision* decision) {
  on(flat_parameters(), [&]<class T>(auto device) {
    const std::int64_t n = flat_parameters().numel();
    kernels::sgd_step(device, n, {options_.momentum, options_.weight_decay}, decision, flat_parameters().data<T>(),
                      flat_gradients().data<T>(), options_.momentum != 0 ? moment(0).data<T>() : nullptr);
  });
}

RmsProp::RmsProp(std::vector<NamedTensor> parameters, const RmsPropOptions& options)
    : Optimizer("rmsprop", std::move(parameters), options.learning_rate, {options.clip_value, options.clip_norm},
                with_momentum({"square_avg"}, options.momentum)),
      options_(options) {
  check_option("rmsprop", "alpha", options.alpha, 0, below_one);
  check_option("rmsprop", "eps", options.eps, least_eps, largest);
  check_option("rmsprop", "momentum", options.momentum, 0, below_one);
  check_option("rmsprop", "weight_decay", options.weight_decay, 0, largest);
}

void RmsProp::update(const kernels::StepDecision* decision) {
  const auto& o = options_;
  on(flat_parameters(), [&]<class T>(auto device) {
    const std::int64_t n = flat_parameters().numel();
    kernels::rmsprop_step(device, n, {o.alpha, o.eps, o.momentum, o.weight_decay}, decision,
                          flat_parameters().data<T>(), flat_gradients().data<T>(), moment(0).data<T>(),
                          o.momentum != 0 ? moment(1).data<T>() : nullptr);
  });
}

AdamFamily::AdamFamily(const char* name, std::vector<NamedTensor> parameters, double learning_rate,
                       const kernels::AdamStep& step, const ClipOptions& clip)
    : Optimizer(name, std::move(parameters), learning_rate, clip, {"exp_avg", "exp_avg_sq"}), step_(step) {
  beta1_ = step.beta1;
  beta2_ = step.beta2;
  check_option(name, "beta1", step.beta1, 0, below_one);
  check_option(name, "beta2", step.beta2, 0, below_one);
  check_option(name, "eps", step.eps, least_eps, largest);
  check_option(name, "weight_decay", step.weight_decay, 0, largest);
  check_option(name, "weight_decay", step.decoupled_decay, 0, largest);
}

void AdamFamily::update(const kernels::StepDecision* decision) {
  on(flat_parameters(), [&]<class T>(auto device) {
    kernels::adam_step(device, flat_parameters().numel(), step_, decision, flat_parameters().data<T>(),
                       flat_gradients().data<T>(), moment(0).data<T>(), moment(1).data<T>());
  });
}

Adam::Adam(std::vector<NamedTensor> parameters, const AdamOptions& o)
    : AdamFamily("adam", std::move(parameters), o.learning_rate, {o.beta1, o.beta2, o.eps, o.weight_decay, 0},
                 {o.clip_value, o.clip_norm}) {}

AdamW::AdamW(std::vector<NamedTensor> parameters, const AdamWOptions& o)
    : AdamFamily("adamw", std::move(parameters), o.learning_rate, {o.beta1, o.beta2, o.eps, 0, o.weight_decay},
                 {o.clip_value, o.clip_norm}) {}

}  // namespace glimpse
