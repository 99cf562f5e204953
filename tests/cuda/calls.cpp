// What a training step and a step of beam search ask of the device and of its driver, counted by the emulator: the
// numbers are those of a GPU, and do not depend on sizes. Each wait and each copy down is a pause of the device, each
// launch some microseconds of the host.
#ifdef GLIMPSE_TEST_EMULATED

#include "glimpse/tests/emulator/calls.h"

#include "cuda_test.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/models/search/beam.h"
#include "scratch_folder.h"
#include "small_training.h"

using namespace glimpse;
using namespace glimpse::test;
using emulator::Calls;

namespace {

/// What the third of three steps asks for: by then everything that is made once is there.
Calls of_step(const TrainingBatch& batch) {
  CaptionModel model = make_tutorial_model(Device::cuda);
  TrainStep step(model);
  Calls before;
  for (int i = 0; i < 3; ++i) {
    before = emulator::calls();
    step.enqueue({&batch, 1});
  }
  const Calls calls = emulator::calls() - before;
  CHECK(step.results().size() == 3);
  return calls;
}

/// What further words cost in a search that writes so many of one image.
Calls of_search(int words) {
  const NoGrad no_grad;
  CaptionModel model = make_tutorial_model(Device::cuda);
  const Tensor features = make_batch({1}).features.to(Device::cuda);
  const Calls before = emulator::calls();
  beam_search(model.decoder, features, {.beam = 5, .max_length = words, .min_length = words - 1});
  return emulator::calls() - before;
}

}  // namespace

TEST_CASE("what a training step asks of the device") {
  const Calls step = of_step(make_batch({5, 5, 5, 5}));
  CHECK(step.waits == 0);
  CHECK(step.copies_down == 0);
  CHECK(step.copies_up == 2);  // the features; words, groups and rows
  CHECK(step.copies_on_device == 1);
  CHECK(step.fills == 3);
  CHECK(step.launches == 120);
  CHECK(step.products == 38);
  CHECK(step.allocations == 0);
  CHECK(step.frees == 0);
}

TEST_CASE("what a step asks for whose features lie on the device: one copy up, of numbers alone") {
  const ScratchFolder folder;
  const FeatureCache cache = random_features(folder / "features", DType::f16);
  TrainingBatch batch = make_batch({5, 5, 5, 5});
  batch.features = Tensor();
  batch.store = ResidentFeatures::of(cache, Device::cuda);
  batch.tokens.stored = from_vector(std::vector<std::int32_t>{1, 8, 0, 3});
  const Calls step = of_step(batch);
  CHECK(step.copies_up == 1);
  CHECK(step.bytes_up < 2000);
  CHECK(step.copies_down == 0);
  CHECK(step.waits == 0);
}

TEST_CASE("the results of steps on the device are read in one go") {
  CaptionModel model = make_tutorial_model(Device::cuda);
  TrainStep step(model);
  const TrainingBatch batch = make_batch({5, 4});
  for (int i = 0; i < 20; ++i) step.enqueue({&batch, 1});
  const Calls before = emulator::calls();
  CHECK(step.results().size() == 20);
  const Calls read = emulator::calls() - before;
  CHECK(read.waits == 1);
  CHECK(read.copies_down == 1);
}

TEST_CASE("what a training step asks of the device for a further word") {
  const Calls more = of_step(make_batch({8, 8, 6, 5})) - of_step(make_batch({7, 7, 6, 5}));
  CHECK(more.waits == 0);
  CHECK(more.copies_up == 0);
  CHECK(more.copies_on_device == 0);
  CHECK(more.launches == 8);
  CHECK(more.products == 4);
}

TEST_CASE("what a step of beam search asks of the device") {
  const Calls word = of_search(9) - of_search(8);
  CHECK(word.waits == 1);
  CHECK(word.copies_down == 1);
  CHECK(word.copies_up == 1);
  CHECK(word.launches == 10);
  CHECK(word.products == 5);
}

#endif
