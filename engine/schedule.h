#pragma once
// Learning-rate schedules: small values that say by which factor to multiply the base rate at a time. They combine by
// multiplication: optimizer.set_learning_rate(base * warm_up(step) * decay(epoch)). Time counts from 0, in whatever
// unit the caller chooses (epochs, steps).

#include <cstdint>

namespace glimpse {

/// factor^floor(t / every).
struct StepDecay {
  double factor = 0.1;
  std::int64_t every = 1;
  double operator()(std::int64_t t) const;
};

/// From 1 to `floor` along half a cosine over `duration` (Loshchilov & Hutter, arXiv 1608.03983, eq. 5, one period);
/// `floor` afterwards.
struct CosineDecay {
  std::int64_t duration = 1;
  double floor = 0;
  double operator()(std::int64_t t) const;
};

/// From 1/25 to 1 along half a cosine over the first `rise` of `duration`, then to `floor` along another
/// (Smith & Topin, arXiv 1708.07120, in the form that is common now); `floor` afterwards. rise 0: 30 % of the duration.
struct OneCycle {
  std::int64_t duration = 1;
  std::int64_t rise = 0;
  double floor = 0;
  double operator()(std::int64_t t) const;
};

/// (t + 1) / duration, at most 1: the first step already moves. duration 0 = none.
struct LinearWarmUp {
  std::int64_t duration = 0;
  double operator()(std::int64_t t) const;
};

/// rise floor(t / every), at most `limit`: from 0 up in steps.
struct StepRise {
  double rise = 0.05;
  std::int64_t every = 1;
  double limit = 1;
  double operator()(std::int64_t t) const;
};

/// Multiplies by `factor` when the score has not risen for `patience` evaluations in a row, and counts anew from there.
class PlateauDecay {
 public:
  struct Options {
    double factor = 0.8;
    std::int64_t patience = 8;  ///< stale evaluations that trigger a decay
    double floor = 0;           ///< the factor never falls below
  };
  /// Whole state, for checkpoints.
  struct State {
    double best = 0;         ///< meaningless before the first evaluation
    std::int64_t seen = 0;   ///< evaluations so far
    std::int64_t stale = 0;  ///< evaluations since the last rise or decay
    double factor = 1;
  };

  PlateauDecay() = default;
  /// Throws Error for patience < 1 or a factor outside (0,1].
  explicit PlateauDecay(const Options& options);
  /// Takes the score of one evaluation, higher is better (negate a loss); returns whether the rate has just decayed. A
  /// NaN is no rise.
  bool observe(double score);
  double factor() const { return state_.factor; }

  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  Options options_;
  State state_;
};

}  // namespace glimpse
