#include "glimpse/engine/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "glimpse/kernels/base/check.h"

namespace glimpse {

double StepDecay::operator()(std::int64_t t) const {
  check(every >= 1, "step decay: every must be at least 1, got {}", every);
  return std::pow(factor, static_cast<double>(t / every));
}

double CosineDecay::operator()(std::int64_t t) const {
  check(duration >= 1, "cosine decay: duration must be at least 1, got {}", duration);
  const double x = static_cast<double>(std::min(t, duration)) / static_cast<double>(duration);
  return floor + (1 - floor) * 0.5 * (1 + std::cos(std::numbers::pi * x));
}

double OneCycle::operator()(std::int64_t t) const {
  check(duration >= 1, "one cycle: duration must be at least 1, got {}", duration);
  constexpr double start = 1.0 / 25, share = 0.3;
  const double all = static_cast<double>(duration);
  const double top = rise > 0 ? static_cast<double>(std::min(rise, duration)) : share * all;
  const double now = static_cast<double>(std::min(t, duration));
  const auto between = [](double from, double to, double x) {
    return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * x));
  };
  if (now < top) return between(start, 1, now / top);
  return top < all ? between(1, floor, (now - top) / (all - top)) : floor;
}

double LinearWarmUp::operator()(std::int64_t t) const {
  if (t + 1 >= duration) return 1;
  return static_cast<double>(t + 1) / static_cast<double>(duration);
}

double StepRise::operator()(std::int64_t t) const {
  check(every >= 1, "step rise: every must be at least 1, got {}", every);
  return std::min(rise * static_cast<double>(t / every), limit);
}

PlateauDecay::PlateauDecay(const Options& options) : options_(options) {
  check(options.patience >= 1, "plateau decay: patience must be at least 1, got {}", options.patience);
  check(options.factor > 0 && options.factor <= 1, "plateau decay: factor must lie in (0,1], got {}", options.factor);
}

bool PlateauDecay::observe(double score) {
  const bool first = state_.seen++ == 0;
  // A NaN at first would never be beaten.
  if (first || score > state_.best || std::isnan(state_.best)) {
    state_.best = score;
    state_.stale = 0;
    return false;
  }
  if (++state_.stale < options_.patience) return false;
  state_.stale = 0;
  state_.factor = std::max(state_.factor * options_.factor, options_.floor);
  return true;
}

}  // namespace glimpse
