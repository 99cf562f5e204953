#pragma once
// An exponential moving average of the weights that an optimizer trains (Polyak & Juditsky 1992; as in arXiv
// 1512.00567, section 8): noise of the last steps cancels in it.

#include <cstdint>
#include <vector>

#include "glimpse/engine/optimizer.h"

namespace glimpse {

class WeightAverage {
 public:
  /// Of the parameters of `optimizer`, which must outlive this; begins as they are now. Throws Error for a decay
  /// outside [0,1).
  WeightAverage(const Optimizer& optimizer, double decay);

  /// After each step. Number t, from 1, of those that have updated the weights: average += (1 - d) (weights - average),
  /// d = min(decay, (1 + t) / (10 + t)), so that the weights of the beginning are forgotten soon. After a step that was
  /// left out nothing moves. Waits for no answer of a GPU.
  void update();
  /// Exchanges the weights and their averages: the model then has the averages, until the next call.
  void swap();

  /// The average of each parameter, under its name; after swap() the weights themselves. Views of this object's memory.
  std::vector<NamedTensor> averages() const;

  /// For checkpoints: "step", and the average of each parameter under its name.
  std::vector<NamedTensor> state() const;
  /// Goes on from there. Throws Error for other names or shapes; then nothing has changed.
  void load_state(const std::vector<NamedTensor>& state);

 private:
  const Optimizer& optimizer_;
  double decay_;
  Tensor average_;   // laid out as the optimizer's flat parameters
  Tensor decision_;  // (2) f64, kernels::AverageDecision
};

}  // namespace glimpse
