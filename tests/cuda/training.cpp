// Training steps whose results are read late: they are those of steps that are waited for.

#include <algorithm>
#include <cmath>
#include <limits>

#include "cuda_test.h"
#include "glimpse/engine/device_number.h"
#include "small_training.h"

using namespace glimpse;
using namespace glimpse::test;

TEST_CASE("numbers stay on their device until they are read") {
  for (const Device device : {Device::cpu, Device::cuda}) {
    const auto scalar = [&](double value, DType dtype = DType::f64) { return full({}, value, dtype, device); };
    CHECK(DeviceNumber(3.5) == 3.5);
    CHECK(DeviceNumber(scalar(3, DType::f32), 4) == 0.75);
    DeviceNumbers numbers(device);
    CHECK(numbers.read().empty());
    std::vector<DeviceNumbers::Place> places;
    for (int i = 0; i < 300; ++i) places.push_back(numbers.keep(DeviceNumber(scalar(i), 2)));  // more than fit at first
    const DeviceNumbers::Place known = numbers.keep(DeviceNumber(7));
    const std::int64_t begin = numbers.keep(from_vector(std::vector<float>{1, 2, 3}).to(device));
    std::vector<double> read = numbers.read();
    CHECK(read.size() == 303);
    for (int i = 0; i < 300; ++i) REQUIRE(places[static_cast<std::size_t>(i)].in(read) == i / 2.0);
    CHECK(known.in(read) == 7);
    CHECK(begin == 300);
    CHECK(read[302] == 3);
    CHECK(numbers.keep(scalar(9)) == 0);  // from the beginning again
    CHECK(numbers.read() == std::vector<double>{9});
  }
  DeviceNumbers numbers(Device::cuda);
  CHECK_THROWS_WITH(numbers.keep(zeros({1})), "numbers of cpu are not on cuda");
}

namespace {

/// Seven steps, of which the third and fourth have a gradient that is not finite; results are asked for after the steps
/// that `read_after` names.
struct Trained {
  std::vector<StepResult> results;
  std::vector<NamedTensor> tensors;
};

Trained train(Device device, const std::vector<int>& read_after, int batches_a_step) {
  CaptionModel model = make_tutorial_model(device);
  model.config.training.ema = 0.9;
  TrainStep step(model);
  Trained trained;
  for (int i = 0; i < 7; ++i) {
    std::vector<TrainingBatch> batches;
    for (int b = 0; b < batches_a_step; ++b) batches.push_back(make_batch({5, 3 + b, 4}, 3 + i + b));
    if (i == 2 || i == 3) batches[0].features.fill(std::numeric_limits<double>::infinity());
    step.enqueue(batches, i == 5 ? 0.5 : 1);
    CHECK(step.has_results() == (device == Device::cpu));
    if (std::find(read_after.begin(), read_after.end(), i) == read_after.end()) continue;
    for (const StepResult& result : step.results()) trained.results.push_back(result);
  }
  for (const NamedTensor& t : step.tensors()) trained.tensors.push_back({t.name, t.tensor.clone(), false});
  return trained;
}

void check_same_run(const Trained& found, const Trained& expected) {
  REQUIRE(found.results.size() == 7);
  for (std::size_t i = 0; i < 7; ++i) {
    const StepResult &f = found.results[i], &e = expected.results[i];
    INFO("step " << i);
    CHECK(f.updated == (i != 2 && i != 3));
    CHECK(f.updated == e.updated);
    CHECK(f.not_finite == e.not_finite);
    CHECK(f.not_finite.empty() == f.updated);
    CHECK(f.tokens == e.tokens);
    CHECK(f.learning_rate == e.learning_rate);
    if (!f.updated) continue;
    CHECK(f.loss == e.loss);
    CHECK(f.attention_penalty == e.attention_penalty);
    CHECK(f.gradient_norm == e.gradient_norm);
  }
  REQUIRE(found.tensors.size() == expected.tensors.size());
  for (std::size_t i = 0; i < found.tensors.size(); ++i) {
    INFO(found.tensors[i].name);
    CHECK(found.tensors[i].tensor.to_vector<double>() == expected.tensors[i].tensor.to_vector<double>());
  }
}

}  // namespace

TEST_CASE("results that are read late are those of steps that are waited for") {
  for (const int batches : {1, 2}) {
    const Trained waited = train(Device::cuda, {0, 1, 2, 3, 4, 5, 6}, batches);
    check_same_run(train(Device::cuda, {6}, batches), waited);
    check_same_run(train(Device::cuda, {2, 4, 6}, batches), waited);
    for (const NamedTensor& t : waited.tensors)
      if (t.name == "decoder_optimizer.step" || t.name == "decoder_average.step") CHECK(t.tensor.item() == 5);
    const Trained host = train(Device::cpu, {0, 1, 2, 3, 4, 5, 6}, batches);
    for (std::size_t i = 0; i < 7; ++i) {
      CHECK(host.results[i].updated == waited.results[i].updated);
      CHECK(host.results[i].not_finite == waited.results[i].not_finite);
      if (!host.results[i].updated) continue;
      CHECK(std::abs(host.results[i].loss - waited.results[i].loss) < 1e-4 * host.results[i].loss);
      CHECK(host.results[i].gradient_norm > 0);
      CHECK(std::abs(host.results[i].gradient_norm - waited.results[i].gradient_norm) <
            1e-3 * host.results[i].gradient_norm);
    }
  }
}

TEST_CASE("the numbers of a step of several batches are means over all their words and captions") {
  for (const Device device : {Device::cpu, Device::cuda}) {
    CaptionModel model = make_tutorial_model(device);
    model.decoder.config.dropout = 0;
    TrainStep step(model);
    const std::vector<TrainingBatch> batches{make_batch({7, 6, 6}), make_batch({2}, 4)};
    double loss = 0, penalty = 0;
    for (const TrainingBatch& batch : batches) {
      const StepResult alone = step(batch, 0);  // leaves the weights as they are
      loss += alone.loss * static_cast<double>(alone.tokens);
      penalty += alone.attention_penalty * static_cast<double>(batch.tokens.rows());
    }
    const StepResult both = step(batches, 0);
    CHECK(both.tokens == 25);
    CHECK(both.loss == Approx(loss / 25).epsilon(1e-5));
    CHECK(both.attention_penalty == Approx(penalty / 4).epsilon(1e-5));
  }
}
