// The decoder: one op over a whole batch of captions must equal the step-by-step composition of plain ops, in value and
// in every gradient.

#include <cmath>

#include "catch.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/models/decoder/decoder.h"

using namespace glimpse;

namespace {

DecoderConfig small(DecoderConfig config) {
  config.vocabulary = 23;
  config.channels = 7;
  config.embedding = 5;
  config.attention_size = 6;
  config.hidden = 5;
  return config;
}

/// A decoder with weights large enough that every nonlinearity is used.
Decoder make_decoder(const DecoderConfig& config, DType dtype) {
  Generator generator(7);
  Decoder decoder(config, generator);
  for (const NamedTensor& p : named_tensors(decoder)) fill_normal(p.tensor, 0, 0.5, generator);
  convert(decoder, dtype);
  return decoder;
}

TokenBatch make_batch(const std::vector<int>& words, std::int64_t vocabulary,
                      const std::vector<std::int64_t>& images = {}) {
  Generator generator(3);
  std::vector<std::vector<std::int32_t>> captions;
  for (const int count : words) {
    captions.push_back({start_word});
    for (int i = 1; i < count; ++i)
      captions.back().push_back(static_cast<std::int32_t>(generator.below(static_cast<std::uint64_t>(vocabulary))));
    captions.back().push_back(end_word);
  }
  return make_token_batch(captions, images);
}

Tensor make_features(std::int64_t rows, std::int64_t locations, std::int64_t channels, DType dtype) {
  Generator generator(11);
  const Tensor features = empty({rows, locations, channels}, dtype);
  fill_normal(features, 0, 1, generator);
  return features;
}

double largest(const Tensor& x) {
  double result = 0;
  for (const double v : x.to_vector<double>()) result = std::max(result, std::abs(v));
  return result;
}

/// Largest difference, relative to the largest element of the truth.
double difference(const Tensor& x, const Tensor& truth) {
  REQUIRE(x.shape() == truth.shape());
  return largest(x.to(DType::f64) - truth.to(DType::f64)) / std::max(largest(truth), 1e-12);
}

struct Trial {
  DecoderConfig config;
  LossOptions options;
  std::vector<int> words;
  std::int64_t locations = 4;
  std::vector<std::int64_t> images = {};  // of each caption
};

void compare(const Trial& trial, DType dtype, double tolerance) {
  const DecoderConfig config = small(trial.config);
  const TokenBatch batch = make_batch(trial.words, config.vocabulary, trial.images);
  std::vector<Tensor> gradients[2];
  DecoderLoss losses[2];
  for (int fused = 0; fused < 2; ++fused) {
    Decoder decoder = make_decoder(config, dtype);
    Tensor features = make_features(batch.images(), trial.locations, config.channels, dtype);
    features.set_requires_grad();
    Generator generator(5);
    losses[fused] = fused ? decoder.loss(features, batch, generator, trial.options)
                          : decoder.loss_stepwise(features, batch, generator, trial.options);
    losses[fused].total.backward();
    for (const NamedTensor& p : parameters(decoder)) {
      INFO(p.name);
      REQUIRE(p.tensor.grad().defined());
      gradients[fused].push_back(p.tensor.grad());
    }
    gradients[fused].push_back(features.grad());
  }
  CHECK(losses[1].total.item() == Approx(losses[0].total.item()).epsilon(tolerance));
  CHECK(losses[1].cross_entropy == Approx(losses[0].cross_entropy).epsilon(tolerance));
  CHECK(losses[1].attention_penalty == Approx(losses[0].attention_penalty).epsilon(tolerance).margin(1e-12));
  CHECK(losses[1].tokens == losses[0].tokens);
  CHECK(losses[1].top5_hits == losses[0].top5_hits);
  Decoder decoder = make_decoder(config, dtype);
  const auto names = named_tensors(decoder);
  REQUIRE(gradients[0].size() == names.size() + 1);
  for (std::size_t i = 0; i < gradients[0].size(); ++i) {
    INFO((i < names.size() ? names[i].name : "features"));
    CHECK(largest(gradients[0][i]) > 0);
    CHECK(difference(gradients[1][i], gradients[0][i]) < tolerance);
  }
}

DecoderConfig without_attention(DecoderConfig config) {
  config.attention = AttentionKind::none;
  return config;
}

std::vector<DecoderConfig> all_kinds() {
  return {tutorial_decoder(1, 1), paper_decoder(1, 1), without_attention(tutorial_decoder(1, 1)),
          without_attention(paper_decoder(1, 1))};
}

LossOptions paper_loss() {
  LossOptions options;
  options.reduction = Reduction::paper;
  options.doubly_stochastic = 0.7;
  options.label_smoothing = 0.1;
  options.count_top5 = true;
  return options;
}

}  // namespace

TEST_CASE("the sequence op equals the step-by-step decoder in f64", "[gradient]") {
  for (const DecoderConfig& config : all_kinds())
    for (const std::vector<int>& words : {std::vector<int>{3, 7, 1, 4, 4}, {5}, {1}, {1, 1, 1}, {4, 4, 4}}) {
      INFO("deep output " << config.deep_output() << ", soft " << config.attends() << ", captions " << words.size()
                          << ", first " << words[0]);
      compare({config, {}, words}, DType::f64, 1e-10);
      compare({config, paper_loss(), words}, DType::f64, 1e-10);
    }
}

TEST_CASE("the sequence op equals the step-by-step decoder in f32") {
  for (const DecoderConfig& config : all_kinds()) compare({config, {}, {3, 9, 1, 4, 4}}, DType::f32, 2e-5);
}

TEST_CASE("captions of one image share its features", "[gradient]") {
  const std::vector<int> words{3, 9, 1, 4, 4, 6};
  const std::vector<std::int64_t> images{1, 0, 1, 2, 2, 1};
  for (const DecoderConfig& config : all_kinds())
    for (const int threads : {1, 64}) {  // with few images for many threads, captions are groups of their own
      INFO("soft " << config.attends() << ", threads " << threads);
      kernels::set_threads(threads);
      compare({config, paper_loss(), words, 4, images}, DType::f64, 1e-10);
    }
  kernels::set_threads(0);
}

TEST_CASE("features once an image give the loss of features once a caption") {
  const std::vector<int> words{3, 9, 1, 4, 4, 6};
  const DecoderConfig config = small(paper_decoder(1, 1));
  const TokenBatch apart = make_batch(words, config.vocabulary),
                   shared = make_batch(words, config.vocabulary, {1, 0, 1, 2, 2, 1});
  CHECK(shared.order == std::vector<std::int64_t>{1, 5, 3, 4, 0, 2});
  CHECK(shared.image == std::vector<std::int64_t>{0, 1, 2, 2, 1, 1});
  CHECK(shared.images() == 3);
  CHECK(apart.images() == 6);
  Decoder decoder = make_decoder(config, DType::f64);
  const Tensor once = make_features(3, 4, config.channels, DType::f64),
               each = gather_rows(once, from_vector(std::vector<std::int32_t>{0, 1, 2, 2, 1, 1}));
  std::vector<double> losses;
  std::vector<Tensor> gradients;
  for (const bool share : {false, true}) {
    Tensor features = share ? once.clone() : each.clone();
    features.set_requires_grad();
    Generator generator(5);
    const DecoderLoss loss = decoder.loss(features, share ? shared : apart, generator, paper_loss());
    loss.total.backward();
    losses.push_back(loss.total.item());
    gradients.push_back(features.grad());
  }
  CHECK(losses[1] == Approx(losses[0]).epsilon(1e-12));
  const Tensor summed = zeros_like(once);
  for (std::int64_t row = 0; row < 6; ++row) {
    const std::int64_t image = shared.image[row];
    add_scaled_into(summed.rows(image, image + 1), gradients[0].rows(row, row + 1), 1);
  }
  CHECK(difference(gradients[1], summed) < 1e-12);
}

TEST_CASE("mixed choices of the decoder agree as well", "[gradient]") {
  for (int bits = 0; bits < 16; ++bits) {
    DecoderConfig config;
    config.score = bits & 1 ? Activation::tanh : Activation::relu;
    config.gate = bits & 2 ? GateKind::vector : GateKind::scalar;
    config.output = bits & 4 ? OutputLayer::deep : OutputLayer::linear;
    config.initial_state = bits & 8 ? InitialState::tanh : InitialState::linear;
    compare({config, {}, {2, 5, 3}}, DType::f64, 1e-10);
  }
}

TEST_CASE("captions that weigh more or less, and parts of a larger batch, agree as well", "[gradient]") {
  for (const Reduction reduction : {Reduction::paper, Reduction::tutorial}) {
    Trial trial{{}, {.reduction = reduction, .label_smoothing = 0.1}, {3, 5, 2}};
    trial.options.caption_weights = {0.5, -2, 1.25};
    trial.options.of_tokens = 40;
    trial.options.of_rows = 7;
    compare(trial, DType::f64, 1e-11);
  }
}

TEST_CASE("the losses of the parts of a batch add up to that of the whole") {
  const DecoderConfig config = small({});
  const std::vector<int> words{6, 4, 3, 5};
  const Tensor features = make_features(4, 3, config.channels, DType::f64);
  for (const Reduction reduction : {Reduction::paper, Reduction::tutorial}) {
    LossOptions options{.doubly_stochastic = 0.7, .reduction = reduction, .train = false};
    const auto loss = [&](const std::vector<std::int64_t>& which) {
      const Decoder decoder = make_decoder(config, DType::f64);
      std::vector<std::vector<std::int32_t>> captions;
      std::vector<Tensor> rows;
      for (const std::int64_t i : which) {
        captions.push_back({start_word});
        for (int w = 1; w < words[i]; ++w) captions.back().push_back(static_cast<std::int32_t>((7 * i + w) % 23));
        captions.back().push_back(end_word);
      }
      const TokenBatch batch = make_token_batch(captions);
      for (const std::int64_t row : batch.order) rows.push_back(features.rows(which[row], which[row] + 1));
      Generator generator(1);
      return decoder.loss(concat(rows, 0), batch, generator, options).total.item();
    };
    const double whole = loss({0, 1, 2, 3});
    options.of_tokens = 6 + 4 + 3 + 5;
    options.of_rows = 4;
    CHECK(loss({0, 3}) + loss({1, 2}) == Approx(whole).epsilon(1e-12));
  }
}

TEST_CASE("the loss has the gradient that differences of its values show", "[gradient]") {
  for (const DecoderConfig& choice : all_kinds()) {
    const DecoderConfig config = small(choice);
    const TokenBatch batch = make_batch({3, 5, 2}, config.vocabulary);
    Decoder decoder = make_decoder(config, DType::f64);
    const Tensor features = make_features(batch.rows(), 4, config.channels, DType::f64);
    const auto value = [&] {
      Generator generator(5);
      return decoder.loss(features, batch, generator, paper_loss()).total;
    };
    value().backward();
    Generator directions(13);
    for (const NamedTensor& p : parameters(decoder)) {
      const Tensor direction = empty_like(p.tensor);
      fill_normal(direction, 0, 1, directions);
      const double slope = sum(p.tensor.grad() * direction).item();
      const double step = 1e-6;
      NoGrad no_grad;
      add_scaled_into(p.tensor, direction, step);
      const double above = value().item();
      add_scaled_into(p.tensor, direction, -2 * step);
      const double below = value().item();
      add_scaled_into(p.tensor, direction, step);
      INFO(p.name);
      CHECK(slope == Approx((above - below) / (2 * step)).epsilon(1e-5).margin(1e-7));
    }
  }
}

TEST_CASE("a caption's loss does not depend on the captions beside it") {
  const DecoderConfig config = small(paper_decoder(1, 1));
  const Decoder decoder = make_decoder(config, DType::f64);
  const std::vector<std::vector<std::int32_t>> captions{{1, 5, 6, 2}, {1, 7, 8, 9, 10, 11, 2}, {1, 2}};
  const Tensor features = make_features(3, 4, config.channels, DType::f64);
  LossOptions options;
  options.reduction = Reduction::paper;
  options.train = false;
  Generator generator(5);
  double apart = 0;
  for (std::size_t i = 0; i < captions.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    apart +=
        decoder.loss(features.rows(row, row + 1), make_token_batch({captions[i]}), generator, options).total.item() / 3;
  }
  const TokenBatch batch = make_token_batch(captions);
  REQUIRE(batch.order == std::vector<std::int64_t>{1, 0, 2});
  const Tensor sorted = gather_rows(features, from_vector(std::vector<std::int32_t>{1, 0, 2}));
  CHECK(decoder.loss(sorted, batch, generator, options).total.item() == Approx(apart).epsilon(1e-12));
}

TEST_CASE("the reductions are what their names say") {
  const DecoderConfig config = small(tutorial_decoder(1, 1));
  const Decoder decoder = make_decoder(config, DType::f64);
  const TokenBatch batch = make_batch({3, 5}, config.vocabulary);
  const Tensor features = make_features(2, 4, config.channels, DType::f64);
  LossOptions options;
  options.train = false;
  options.doubly_stochastic = 0.3;
  Generator generator(5);
  const DecoderLoss tutorial = decoder.loss(features, batch, generator, options);
  CHECK(tutorial.total.item() == Approx(tutorial.cross_entropy + 0.3 * tutorial.attention_penalty).epsilon(1e-12));
  options.reduction = Reduction::paper;
  const DecoderLoss paper = decoder.loss(features, batch, generator, options);
  CHECK(paper.cross_entropy == Approx(tutorial.cross_entropy));
  CHECK(paper.total.item() ==
        Approx(8.0 / 2 * tutorial.cross_entropy + 0.3 * 4 * tutorial.attention_penalty).epsilon(1e-12));
}

TEST_CASE("attention moves with the state, and the state with the image") {
  for (const DecoderConfig& choice : {tutorial_decoder(1, 1), paper_decoder(1, 1)}) {
    const DecoderConfig config = small(choice);
    const Decoder decoder = make_decoder(config, DType::f64);
    const Tensor features = make_features(2, 4, config.channels, DType::f64);
    const DecoderMemory memory = decoder.project_keys(features);
    DecoderState state = decoder.start(features);
    state.h = state.h.clone();
    state.h.set_requires_grad();
    const Tensor words = from_vector(std::vector<std::int32_t>{1, 1});
    const DecoderStep step = decoder.step(memory, words, state);
    const Tensor weight = make_features(1, 2, 4, DType::f64).reshape({2, 4});
    sum(step.alpha * weight).backward();
    CHECK(largest(state.h.grad()) > 1e-4);
    CHECK(largest(step.alpha.rows(0, 1) - step.alpha.rows(1, 2)) > 1e-4);
    CHECK(largest(decoder.start(features).h.rows(0, 1) - decoder.start(features).h.rows(1, 2)) > 1e-4);
  }
}

TEST_CASE("a token's dropout mask does not depend on the path, and training draws new ones") {
  const DecoderConfig config = small(tutorial_decoder(1, 1));
  const Decoder decoder = make_decoder(config, DType::f64);
  const TokenBatch batch = make_batch({3, 5}, config.vocabulary);
  const Tensor features = make_features(2, 4, config.channels, DType::f64);
  Generator generator(5), same(5);
  const double first = decoder.loss(features, batch, generator).total.item();
  CHECK(decoder.loss_stepwise(features, batch, same).total.item() == Approx(first).epsilon(1e-12));
  CHECK(generator.state().position == same.state().position);
  CHECK(decoder.loss(features, batch, generator).total.item() != Approx(first).epsilon(1e-6));
}

TEST_CASE("top-5 hits are counted teacher-forced") {
  DecoderConfig config = small(tutorial_decoder(1, 1));
  const Decoder decoder = make_decoder(config, DType::f64);
  const TokenBatch batch = make_batch({6, 4}, config.vocabulary);
  const Tensor features = make_features(2, 4, config.channels, DType::f64);
  LossOptions options;
  options.train = false;
  options.count_top5 = true;
  Generator generator(5);
  for (std::int64_t word = 0; word < config.vocabulary; ++word) {
    const double bias = word == end_word ? 1000 : 0;
    decoder.output.bias.data<double>()[word] = bias;
  }
  // <end> is always first; the other words take what is left.
  const DecoderLoss loss = decoder.loss(features, batch, generator, options);
  CHECK(loss.tokens == 10);
  CHECK(loss.top5_hits >= 2);
  CHECK(loss.top5_hits < 10);
}

TEST_CASE("starting weights are what the recipe says") {
  Generator generator(1);
  DecoderConfig config = paper_decoder(40, 16);
  config.embedding = config.attention_size = config.hidden = 16;
  Decoder paper(config, generator);
  const Tensor product = matmul(paper.query.weight, paper.query.weight, false, true);
  for (std::int64_t i = 0; i < 16; ++i)
    for (std::int64_t j = 0; j < 16; ++j)
      CHECK(product.data<float>()[i * 16 + j] == Approx(i == j ? 1 : 0).margin(1e-5));
  CHECK(largest(paper.cell.bias_ih) == 0);
  CHECK(largest(paper.embedding.weight) < 0.06);

  config = tutorial_decoder(40, 16);
  Decoder tutorial(config, generator);
  CHECK(largest(tutorial.embedding.weight) <= 0.1);
  CHECK(largest(tutorial.embedding.weight) > 0.09);
  CHECK(largest(tutorial.output.bias) == 0);
  std::vector<std::int64_t> counts(40, 0);
  counts[5] = 59;
  tutorial.set_output_bias(counts);
  CHECK(tutorial.output.bias.data<float>()[5] == Approx(std::log(60.0 / 99)));
  CHECK(tutorial.output.bias.data<float>()[6] == Approx(std::log(1.0 / 99)));
  CHECK_THROWS_AS(tutorial.set_output_bias({1, 2}), Error);
}

TEST_CASE("the decoder refuses what does not fit") {
  const DecoderConfig config = small(tutorial_decoder(1, 1));
  const Decoder decoder = make_decoder(config, DType::f64);
  const TokenBatch batch = make_batch({3, 5}, config.vocabulary);
  Generator generator(1);
  CHECK_THROWS_AS(decoder.loss(make_features(3, 4, 7, DType::f64), batch, generator), Error);
  CHECK_THROWS_AS(decoder.loss(make_features(2, 4, 8, DType::f64), batch, generator), Error);
  CHECK_THROWS_AS(decoder.loss(make_features(2, 4, 7, DType::f32), batch, generator), Error);
  CHECK_THROWS_AS(decoder.loss(make_features(2, 4, 7, DType::f64), make_token_batch({{1, 23, 2}, {1, 2}}), generator),
                  Error);
  CHECK_THROWS_AS(make_token_batch({}), Error);
  CHECK_THROWS_AS(make_token_batch({{1}}), Error);
  CHECK_THROWS_WITH(make_token_batch({{1, 2}, {1, 2}}, {0}), Contains("1 images for 2 captions"));
  CHECK_THROWS_WITH(make_token_batch({{1, 2}, {1, 2}}, {0, 2}), Contains("image 2 of 2 captions"));
  CHECK_THROWS_WITH(make_token_batch({{1, 2}, {1, 2}}, {1, 1}), Contains("image 0 has no caption"));
  CHECK_THROWS_AS(Decoder(tutorial_decoder(0, 5), generator), Error);
}
