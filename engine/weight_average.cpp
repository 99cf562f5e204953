#include "glimpse/engine/weight_average.h"

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/optimizer.h"

namespace glimpse {

WeightAverage::WeightAverage(const Optimizer& optimizer, double decay)
    : optimizer_(optimizer),
      decay_(decay),
      average_(optimizer.flat_parameters().detach().clone()),
      decision_(zeros({2}, DType::f64, average_.device())) {
  check(decay >= 0 && decay < 1, "weight average: decay {} is outside [0,1)", decay);
}

void WeightAverage::update() {
  const auto* const step = reinterpret_cast<const kernels::StepDecision*>(optimizer_.decision().data<double>());
  auto* const decision = reinterpret_cast<kernels::AverageDecision*>(decision_.data<double>());
  on(average_, [&]<class T>(auto device) {
    kernels::decide_average(device, decay_, step, decision);
    kernels::move_average<T>(device, average_.numel(), decision, optimizer_.flat_parameters().data<T>(),
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
  state.push_back({"step", from_vector(std::vector<double>{decision_.to_vector<double>()[0]}, {}), false});
  return state;
}

void WeightAverage::load_state(const std::vector<NamedTensor>& given) {
  const std::vector<NamedTensor> target = state();
  load_tensors(target, given, "weight average");
  decision_.copy_from(from_vector(std::vector<double>{target.back().tensor.item(), 0}));
}

}  // namespace glimpse
