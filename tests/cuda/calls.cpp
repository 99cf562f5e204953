// What a training step and a step of beam search ask of the device and of its driver, counted by the emulator: the
// numbers are those of a GPU, and do not depend on sizes. Each wait and each copy down is a pause of the device, each
// launch some microseconds of the host.
#ifdef GLIMPSE_TEST_EMULATED

#include "glimpse/tests/emulator/calls.h"

#include "cuda_test.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/engine/words.h"
#include "glimpse/models/search/beam.h"
#include "glimpse/models/training/train_step.h"
#include "op_case.h"

using namespace glimpse;
using namespace glimpse::test;
using emulator::Calls;

namespace {

constexpr std::int64_t locations = 16, channels = 128;  // of the encoder "scratch" for images of 32 x 32

/// A model of the recipe `tutorial` with few units. Its encoder is never asked.
CaptionModel make_tutorial_model() {
  Config config = read_recipe("tutorial");
  config.decoder.embedding = config.decoder.attention_size = config.decoder.hidden = 8;
  std::vector<std::string> words{"<pad>", "<start>", "<end>", "<unk>"};
  for (int i = 0; i < 20; ++i) words.push_back("w" + std::to_string(i));
  Generator generator(1);
  Decoder decoder(decoder_config(config, std::ssize(words), channels), generator);
  CaptionModel model{
      config, Vocabulary(words), {}, "", make_encoder({.name = "scratch", .size = 32}), std::move(decoder)};
  move_to(model, Device::cuda);
  return model;
}

/// Captions of the given numbers of words, `<start>` and `<end>` not counted, of an image each.
TrainingBatch make_batch(const std::vector<int>& lengths) {
  std::vector<std::vector<std::int32_t>> captions;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    captions.push_back({start_word});
    for (int word = 0; word < lengths[i]; ++word)
      captions.back().push_back(static_cast<std::int32_t>(4 + (i + static_cast<std::size_t>(word)) % 20));
    captions.back().push_back(end_word);
  }
  TrainingBatch batch;
  batch.tokens = make_token_batch(captions);
  Draw draw(3);
  batch.features = draw.normal({std::ssize(lengths), locations, channels}).to(DType::f32);
  return batch;
}

/// What the third of three steps asks for: by then everything that is made once is there.
Calls of_step(const TrainingBatch& batch) {
  CaptionModel model = make_tutorial_model();
  TrainStep step(model);
  Calls before;
  for (int i = 0; i < 3; ++i) {
    before = emulator::calls();
    REQUIRE(step(batch).updated);
  }
  return emulator::calls() - before;
}

/// What further words cost in a search that writes so many of one image.
Calls of_search(int words) {
  const NoGrad no_grad;
  CaptionModel model = make_tutorial_model();
  const Tensor features = make_batch({1}).features.to(Device::cuda);
  const Calls before = emulator::calls();
  beam_search(model.decoder, features, {.beam = 5, .max_length = words, .min_length = words - 1});
  return emulator::calls() - before;
}

}  // namespace

TEST_CASE("what a training step asks of the device") {
  const Calls step = of_step(make_batch({5, 5, 5, 5}));
  CHECK(step.waits == 3);
  CHECK(step.copies_down == 3);
  CHECK(step.copies_up == 7);
  CHECK(step.copies_on_device == 6);
  CHECK(step.fills == 3);
  CHECK(step.launches == 122);
  CHECK(step.products == 51);
  CHECK(step.allocations == 0);
  CHECK(step.frees == 0);
}

TEST_CASE("what a training step asks of the device for a further word") {
  const Calls more = of_step(make_batch({8, 8, 6, 5})) - of_step(make_batch({7, 7, 6, 5}));
  CHECK(more.waits == 0);
  CHECK(more.copies_up == 0);
  CHECK(more.copies_on_device == 1);
  CHECK(more.launches == 8);
  CHECK(more.products == 6);
}

TEST_CASE("what a step of beam search asks of the device") {
  const Calls word = of_search(9) - of_search(8);
  CHECK(word.waits == 2);
  CHECK(word.copies_down == 2);
  CHECK(word.copies_up == 5);
  CHECK(word.launches == 10);
  CHECK(word.products == 5);
}

#endif
