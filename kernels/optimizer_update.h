#pragma once
// What an optimizer does to one element, written once for every device: p parameter, g its gradient (left at zero), and
// the moments. Constants are combined in double and rounded once.

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

/// The gradient as the update sees it: clipped, and with the weight decay that is part of the loss.
template <class T>
struct EffectiveGradient {
  T value, scale, decay;
  EffectiveGradient(const Clip& clip, double weight_decay)
      : value(static_cast<T>(clip.value)), scale(static_cast<T>(clip.scale)), decay(static_cast<T>(weight_decay)) {}
  GLIMPSE_HOST_DEVICE T operator()(T p, T g) const { return scale * limit(g, value) + decay * p; }
};

template <class T>
struct SgdUpdate {
  EffectiveGradient<T> gradient;
  T rate, momentum;
  SgdUpdate(const SgdStep& step, const Clip& clip)
      : gradient(clip, step.weight_decay),
        rate(static_cast<T>(step.learning_rate)),
        momentum(static_cast<T>(step.momentum)) {}
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
  RmsPropUpdate(const RmsPropStep& step, const Clip& clip)
      : gradient(clip, step.weight_decay),
        rate(static_cast<T>(step.learning_rate)),
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
  AdamUpdate(const AdamStep& step, const Clip& clip)
      : gradient(clip, step.weight_decay),
        rate(static_cast<T>(step.learning_rate / (1 - std::pow(step.beta1, static_cast<double>(step.count))))),
        keep(static_cast<T>(1 - step.learning_rate * step.decoupled_decay)),
        beta1(static_cast<T>(step.beta1)),
        rest1(static_cast<T>(1 - step.beta1)),
        beta2(static_cast<T>(step.beta2)),
        rest2(static_cast<T>(1 - step.beta2)),
        root(static_cast<T>(1 / std::sqrt(1 - std::pow(step.beta2, static_cast<double>(step.count))))),
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
