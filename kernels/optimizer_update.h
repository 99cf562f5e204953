#pragma once
// What an optimizer decides, and what it does to one element, written once for every device: p parameter, g its
// gradient (left at zero), and the moments. Constants are combined in double and rounded once.

#include <cmath>

#include "glimpse/kernels/base/host_device.h"
#include "glimpse/kernels/optimizer.h"

namespace glimpse::kernels {

/// min(max(g, -value), value). A NaN stays NaN; written as two selections, which are two vector instructions.
template <class T>
GLIMPSE_HOST_DEVICE inline T limit(T g, T value) {
  const T raised = g < -value ? -value : g;
  return raised > value ? value : raised;
}

/// Decides on a step from the sums of squares of the gradient before and after its elements are clipped, and what is
/// bad about it (StepDecision).
GLIMPSE_HOST_DEVICE inline void decide(const StepRule& rule, double all, double clipped, double bad, StepDecision& d) {
  d.norm = std::sqrt(all);
  d.bad = bad;
  if (bad >= 0) return;
  d.count += 1;
  d.clip_value = rule.clip_value;
  const double scale = rule.clip_norm > 0 ? rule.clip_norm / (std::sqrt(clipped) + 1e-6) : 1;  // PyTorch's 1e-6
  d.scale = scale < 1 ? scale : 1;
  d.learning_rate = rule.learning_rate;
  d.rate = rule.learning_rate / (1 - std::pow(rule.beta1, d.count));
  d.root = 1 / std::sqrt(1 - std::pow(rule.beta2, d.count));
}

/// Decides on the move of an average.
GLIMPSE_HOST_DEVICE inline void decide(double decay, const StepDecision& step, AverageDecision& d) {
  d.rate = 0;
  if (step.bad >= 0) return;
  d.count += 1;
  const double early = (1 + d.count) / (10 + d.count);
  d.rate = 1 - (early < decay ? early : decay);
}

/// The gradient as the update sees it: clipped, and with the weight decay that is part of the loss.
template <class T>
struct EffectiveGradient {
  T value, scale, decay;
  GLIMPSE_HOST_DEVICE EffectiveGradient(const StepDecision& d, double weight_decay)
      : value(static_cast<T>(d.clip_value)), scale(static_cast<T>(d.scale)), decay(static_cast<T>(weight_decay)) {}
  GLIMPSE_HOST_DEVICE T operator()(T p, T g) const { return scale * limit(g, value) + decay * p; }
};

template <class T>
struct SgdUpdate {
  EffectiveGradient<T> gradient;
  T rate, momentum;
  GLIMPSE_HOST_DEVICE SgdUpdate(const SgdStep& step, const StepDecision& d)
      : gradient(d, step.weight_decay), rate(static_cast<T>(d.rate)), momentum(static_cast<T>(step.momentum)) {}
  GLIMPSE_HOST_DEVICE void operator()(T& p, T& g, T& b) const {
    b = momentum * b + gradient(p, g);
    p -= rate * b;
    g = 0;
  }
};

template <class T>
struct RmsPropUpdate {
  EffectiveGradient<T> gradient;
  T rate, alpha, rest, eps, momentum;
  GLIMPSE_HOST_DEVICE RmsPropUpdate(const RmsPropStep& step, const StepDecision& d)
      : gradient(d, step.weight_decay),
        rate(static_cast<T>(d.rate)),
        alpha(static_cast<T>(step.alpha)),
        rest(static_cast<T>(1 - step.alpha)),
        eps(static_cast<T>(step.eps)),
        momentum(static_cast<T>(step.momentum)) {}
  GLIMPSE_HOST_DEVICE void operator()(T& p, T& g, T& v, T& b) const {
    const T x = gradient(p, g);
    v = alpha * v + rest * x * x;
    b = momentum * b + x / (std::sqrt(v) + eps);
    p -= rate * b;
    g = 0;
  }
};

template <class T>
struct AdamUpdate {
  EffectiveGradient<T> gradient;
  T rate, keep, beta1, rest1, beta2, rest2, root, eps;
  GLIMPSE_HOST_DEVICE AdamUpdate(const AdamStep& step, const StepDecision& d)
      : gradient(d, step.weight_decay),
        rate(static_cast<T>(d.rate)),
        keep(static_cast<T>(1 - d.learning_rate * step.decoupled_decay)),
        beta1(static_cast<T>(step.beta1)),
        rest1(static_cast<T>(1 - step.beta1)),
        beta2(static_cast<T>(step.beta2)),
        rest2(static_cast<T>(1 - step.beta2)),
        root(static_cast<T>(d.root)),
        eps(static_cast<T>(step.eps)) {}
  GLIMPSE_HOST_DEVICE void operator()(T& p, T& g, T& m, T& v) const {
    const T x = gradient(p, g);
    m = beta1 * m + rest1 * x;
    v = beta2 * v + rest2 * x * x;
    p = keep * p - rate * (m / (std::sqrt(v) * root + eps));
    g = 0;
  }
};

}  // namespace glimpse::kernels
