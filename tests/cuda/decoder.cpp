// The whole decoder on the device: losses, gradients, an optimizer's steps and beam search against the CPU's.

#include "glimpse/models/decoder/decoder.h"

#include "cuda_test.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/engine/optimizer.h"
#include "glimpse/engine/words.h"
#include "glimpse/models/search/sample.h"
#include "op_case.h"

using namespace glimpse;
using namespace glimpse::test;

namespace {

constexpr std::int64_t vocabulary = 13, channels = 6, locations = 5;

struct Variant {
  const char* name;
  AttentionKind attention;
  Activation score;
  GateKind gate;
  OutputLayer output;
  InitialState initial_state;
  bool input_options = false;
};
const std::vector<Variant> variants = {
    {"the paper's", AttentionKind::soft, Activation::tanh, GateKind::scalar, OutputLayer::deep, InitialState::tanh},
    {"the tutorial's", AttentionKind::soft, Activation::relu, GateKind::vector, OutputLayer::linear,
     InitialState::linear},
    {"hard attention", AttentionKind::hard, Activation::tanh, GateKind::scalar, OutputLayer::deep, InitialState::tanh},
    {"hard attention, vector gate", AttentionKind::hard, Activation::relu, GateKind::vector, OutputLayer::linear,
     InitialState::linear},
    {"adaptive attention", AttentionKind::sentinel, Activation::tanh, GateKind::scalar, OutputLayer::linear,
     InitialState::linear},
    {"a sentinel and deep output", AttentionKind::sentinel, Activation::relu, GateKind::scalar, OutputLayer::deep,
     InitialState::tanh},
    {"without attention", AttentionKind::none, Activation::tanh, GateKind::scalar, OutputLayer::linear,
     InitialState::linear},
    {"of projected features, dropped words and tied weights", AttentionKind::soft, Activation::relu, GateKind::vector,
     OutputLayer::deep, InitialState::tanh, true},
};

Decoder make_decoder(const Variant& v, DType dtype, Device device) {
  DecoderConfig config;
  config.vocabulary = vocabulary;
  config.channels = channels;
  config.embedding = 7;
  config.attention_size = 9;
  config.hidden = 8;
  config.attention = v.attention;
  config.score = v.score;
  config.gate = v.gate;
  config.output = v.output;
  config.initial_state = v.initial_state;
  config.dropout = 0.25;
  if (v.input_options) {
    config.projection = 10;
    config.projection_dropout = config.embedding_dropout = 0.25;
    config.tied = true;
  }
  Generator generator(5);
  Decoder decoder(config, generator);
  for (const NamedTensor& p : named_tensors(decoder)) fill_uniform(p.tensor, -0.6, 0.6, generator);
  convert(decoder, dtype);
  move_to(decoder, device);
  return decoder;
}

Tensor make_features(std::int64_t images, DType dtype, Device device) {
  Draw draw(3);
  return draw.normal({images, locations, channels}).to(dtype).to(device);
}

const std::vector<std::vector<std::int32_t>> captions = {
    {start_word, 5, 7, 5, 9, end_word}, {start_word, 4, end_word}, {start_word, 12, 6, 8, end_word}};

/// Two training steps by Adam. Returns the losses, and the gradients of the second by name.
std::pair<std::vector<double>, std::vector<NamedTensor>> train(const Variant& v, bool stepwise, DType dtype,
                                                               Device device,
                                                               const std::vector<std::int64_t>& images = {},
                                                               double scheduled_sampling = 0) {
  Decoder decoder = make_decoder(v, dtype, device);
  const TokenBatch batch = make_token_batch(captions, images);
  const Tensor features = make_features(batch.images(), dtype, device).set_requires_grad();
  Adam adam(parameters(decoder), {.learning_rate = 0.01, .clip_value = 5});
  LossOptions options;
  options.label_smoothing = 0.1;
  options.count_hits = true;
  options.scheduled_sampling = scheduled_sampling;
  Generator dropout(9);
  std::vector<double> losses;
  std::vector<NamedTensor> gradients;
  for (int step = 0; step < 2; ++step) {
    const DecoderLoss loss = stepwise ? decoder.loss_stepwise(features, batch, dropout, options)
                                      : decoder.loss(features, batch, dropout, options);
    losses.insert(losses.end(),
                  {loss.total.item(), loss.cross_entropy, loss.attention_penalty, static_cast<double>(loss.hits.top5)});
    loss.total.backward();
    gradients.clear();
    for (const NamedTensor& p : parameters(decoder)) gradients.push_back({p.name, p.tensor.grad().clone(), true});
    gradients.push_back({"features", features.grad().clone(), true});
    features.clear_grad();
    adam.step();
  }
  for (const NamedTensor& p : parameters(decoder)) gradients.push_back({p.name + " after", p.tensor.clone(), true});
  return {losses, gradients};
}

}  // namespace

TEST_CASE("the decoder trains on the device as on the CPU") {
  for (const Variant& v : variants) {
    for (const bool stepwise : {false, true}) {
      INFO(v.name << (stepwise ? ", word by word" : ", in one go"));
      const auto [losses, gradients] = train(v, stepwise, DType::f64, Device::cpu);
      const auto [found, found_gradients] = train(v, stepwise, DType::f64, Device::cuda);
      CHECK(difference(from_vector(losses), from_vector(found), 0x1p-50, 64, 64) == "");
      REQUIRE(found_gradients.size() == gradients.size());
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        INFO(gradients[i].name);
        // Adam divides by the root of a square: a gradient of 1e-9 with an error of 1e-16 moves by 1e-9 of a step.
        CHECK(difference(gradients[i].tensor, found_gradients[i].tensor, 0x1p-50, 1 << 16, 1 << 16) == "");
      }
    }
  }
}

TEST_CASE("captions share an image on the device as on the CPU") {
  const std::vector<std::int64_t> images{1, 0, 1};
  for (const Variant& v : variants) {
    INFO(v.name);
    const auto [losses, gradients] = train(v, false, DType::f64, Device::cpu, images);
    const auto [found, found_gradients] = train(v, false, DType::f64, Device::cuda, images);
    CHECK(difference(from_vector(losses), from_vector(found), 0x1p-50, 64, 64) == "");
    REQUIRE(found_gradients.size() == gradients.size());
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      INFO(gradients[i].name);
      CHECK(difference(gradients[i].tensor, found_gradients[i].tensor, 0x1p-50, 1 << 16, 1 << 16) == "");
    }
  }
}

TEST_CASE("the device draws the words that the CPU draws to be read") {
  for (const Variant& v : variants)
    for (const double probability : {0.4, 1.0}) {
      INFO(v.name << ", probability " << probability);
      const auto [losses, gradients] = train(v, false, DType::f64, Device::cpu, {}, probability);
      const auto [found, found_gradients] = train(v, false, DType::f64, Device::cuda, {}, probability);
      CHECK(difference(from_vector(losses), from_vector(found), 0x1p-50, 64, 64) == "");
      CHECK(losses != train(v, false, DType::f64, Device::cpu).first);
    }
}

TEST_CASE("in f32 the device's loss is the CPU's in f64, to rounding") {
  for (const Variant& v : variants) {
    INFO(v.name);
    const auto [losses, gradients] = train(v, false, DType::f64, Device::cpu);
    const auto [found, found_gradients] = train(v, false, DType::f32, Device::cuda);
    CHECK(difference(from_vector(losses), from_vector(found), 0x1p-23, 64, 64) == "");
  }
}

namespace {

/// The same captions, scores and maps.
void check_equal(const std::vector<std::vector<Caption>>& found, const std::vector<std::vector<Caption>>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    REQUIRE(found[i].size() == expected[i].size());
    for (std::size_t k = 0; k < expected[i].size(); ++k) {
      CHECK(found[i][k].words == expected[i][k].words);
      CHECK(found[i][k].finished == expected[i][k].finished);
      CHECK(std::abs(found[i][k].score - expected[i][k].score) < 1e-12);
      REQUIRE(found[i][k].alphas.defined() == expected[i][k].alphas.defined());
      if (!expected[i][k].alphas.defined()) continue;
      CHECK(difference(expected[i][k].alphas.to(DType::f64), found[i][k].alphas.to(DType::f64), 0x1p-23, 4, 4) == "");
    }
  }
}

}  // namespace

TEST_CASE("beam search on the device finds the CPU's captions") {
  const NoGrad no_grad;
  for (const Variant& v : variants)
    for (const bool plain : {true, false}) {
      INFO(v.name << (plain ? ", plain" : ", with every option"));
      const bool attends = v.attention != AttentionKind::none;
      BeamOptions options{.beam = 4, .max_length = 6, .keep_alphas = attends, .n_best = 2};
      if (!plain) {
        options.length_penalty = 0.7;
        options.length_norm = LengthNorm::gnmt;
        options.min_length = 2;
        options.no_repeat_ngram = 2;
        options.coverage_penalty = attends ? 0.3 : 0;
        options.groups = 2;
      }
      const auto search = [&](Device device) {
        return beam_search(make_decoder(v, DType::f64, device), make_features(4, DType::f64, device), options);
      };
      check_equal(search(Device::cuda), search(Device::cpu));
    }
}

TEST_CASE("samples and ensembles on the device are the CPU's") {
  const NoGrad no_grad;
  for (const Variant& v : variants) {
    INFO(v.name);
    const auto ensemble = [&](Device device, int way) {
      const Decoder a = make_decoder(v, DType::f64, device), b = make_decoder(v, DType::f64, device);
      b.output.bias.copy_from(a.output.bias * 2.0 + 0.1);
      const Tensor features = make_features(4, DType::f64, device);
      const std::vector<SearchMember> members{{a, features}, {b, features}};
      if (way == 0) return beam_search(members, {.beam = 3, .max_length = 6, .n_best = 2});
      SampleOptions options{.count = 3, .max_length = 6, .seed = 7};
      if (way == 1) return sample_captions({{a, features}}, options);
      options.temperature = 0.8;
      options.top_k = 5;
      options.top_p = 0.9;
      options.suppress_unk = true;
      options.min_length = 2;
      options.no_repeat_ngram = 2;
      return sample_captions(members, options);
    };
    for (const int way : {0, 1, 2}) check_equal(ensemble(Device::cuda, way), ensemble(Device::cpu, way));
  }
}
