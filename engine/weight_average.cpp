#include "glimpse/engine/weight_average.h"

#include <algorithm>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/optimizer.h"

namespace glimpse {

WeightAverage::WeightAverage(const Optimizer& optimizer, double decay)
    : optimizer_(optimizer), decay_(decay), average_(optimizer.flat_parameters().detach().clone()) {
  check(decay >= 0 && decay < 1, "weight average: decay {} is outside [0,1)", decay);
}

void WeightAverage::update() {
  const double t = static_cast<double>(++steps_);
  const double decay = std::min(decay_, (1 + t) / (10 + t));
  on(average_, [&]<class T>(auto device) {
    kernels::move_average<T>(device, average_.numel(), 1 - decay, optimizer_.flat_parameters().data<T>(),
                             average_.data<T>());
  });
}

void WeightAverage::swap() {
  const Tensor weights = optimizer_.flat_parameters().detach(), kept = weights.clone();
  weights.copy_from(average_);
  average_.copy_from(kept);
}

std::vector<NamedTensor> WeightAverage::averages() const {
  std::vector<NamedTensor> result;
  for (std::size_t i = 0; i < optimizer_.parameters().size(); ++i)
    result.push_back({optimizer_.parameters()[i].name, optimizer_.part(average_, i), false});
  return result;
}

std::vector<NamedTensor> WeightAverage::state() const {
  std::vector<NamedTensor> state = averages();
  state.push_back({"step", from_vector(std::vector<double>{static_cast<double>(steps_)}, {}), false});
  return state;
}

void WeightAverage::load_state(const std::vector<NamedTensor>& given) {
  const std::vector<NamedTensor> target = state();
  load_tensors(target, given, "weight average");
  steps_ = static_cast<std::int64_t>(target.back().tensor.item());
}

}  // namespace glimpse
