// The decoder: one op over a whole batch of captions must equal the step-by-step composition of plain ops, in value and
// in every gradient.

#include "decoder_trial.h"
#include "error_of.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/base/parallel.h"

using namespace glimpse;
using namespace glimpse::test;

TEST_CASE("the sequence op equals the step-by-step decoder in f64", "[gradient]") {
  for (const DecoderConfig& config : all_kinds())
    for (const std::vector<int>& words : {std::vector<int>{3, 7, 1, 4, 4}, {5}, {1}, {1, 1, 1}, {4, 4, 4}}) {
      INFO("deep output " << config.deep_output() << ", attention " << name_of(config.attention) << ", captions "
                          << words.size() << ", first " << words[0]);
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
      INFO("attention " << name_of(config.attention) << ", threads " << threads);
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

TEST_CASE("the loss has the gradient that differences of its values show", "[gradient]") {
  for (const DecoderConfig& choice : all_kinds()) {
    const DecoderConfig config = small(choice);
    const TokenBatch batch = make_batch({3, 5, 2}, config.vocabulary);
    Decoder decoder = make_decoder(config, DType::f64);
    const Tensor features = make_features(batch.rows(), 4, config.channels, DType::f64);
    const auto value = [&] {
      Generator generator(5);
      LossOptions options = paper_loss();
      options.sampling = 0;  // what drawn locations earn is no derivative of the loss: test_hard_attention
      return decoder.loss(features, batch, generator, options).total;
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
    const DecoderMemory memory = decoder.remember(features);
    DecoderState state = decoder.start(memory);
    state.h = state.h.clone();
    state.h.set_requires_grad();
    const Tensor words = from_vector(std::vector<std::int32_t>{1, 1});
    const DecoderStep step = decoder.step(memory, words, state);
    const Tensor weight = make_features(1, 2, 4, DType::f64).reshape({2, 4});
    sum(step.alpha * weight).backward();
    CHECK(largest(state.h.grad()) > 1e-4);
    CHECK(largest(step.alpha.rows(0, 1) - step.alpha.rows(1, 2)) > 1e-4);
    CHECK(largest(decoder.start(memory).h.rows(0, 1) - decoder.start(memory).h.rows(1, 2)) > 1e-4);
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

TEST_CASE("a visual sentinel takes its share of the attention") {
  DecoderConfig config = small(tutorial_decoder(1, 1));
  config.attention = AttentionKind::sentinel;
  const Decoder decoder = make_decoder(config, DType::f64);
  const DecoderMemory memory = decoder.remember(make_features(2, 4, config.channels, DType::f64));
  const DecoderStep step = decoder.step(memory, from_vector(std::vector<std::int32_t>{1, 5, 6, 7}),
                                        {zeros({4, 5}, DType::f64), zeros({4, 5}, DType::f64)});
  REQUIRE(step.beta.shape() == Shape{4, 1});
  const std::vector<double> beta = step.beta.to_vector<double>(), seen = sum(step.alpha, 1).to_vector<double>();
  for (std::size_t row = 0; row < 4; ++row) {
    CHECK(seen[row] + beta[row] == Approx(1).epsilon(1e-12));
    CHECK(beta[row] > 0.01);
    CHECK(seen[row] > 0.01);
  }
}

TEST_CASE("words predicted right are counted teacher-forced") {
  DecoderConfig config = small(tutorial_decoder(1, 1));
  const Decoder decoder = make_decoder(config, DType::f64);
  const TokenBatch batch = make_batch({6, 4}, config.vocabulary);
  const Tensor features = make_features(2, 4, config.channels, DType::f64);
  LossOptions options;
  options.train = false;
  options.count_hits = true;
  Generator generator(5);
  for (std::int64_t word = 0; word < config.vocabulary; ++word) {
    const double bias = word == end_word ? 1000 : 0;
    decoder.output.bias.data<double>()[word] = bias;
  }
  // <end> is always first; the other words take what is left.
  const DecoderLoss loss = decoder.loss(features, batch, generator, options);
  CHECK(loss.tokens == 10);
  CHECK(loss.hits.top1 == 2);
  CHECK(loss.hits.top5 >= 2);
  CHECK(loss.hits.top5 < 10);
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
  // What was written into a batch by hand is looked at, since the ops do not.
  const auto spoilt = [&](Tensor TokenBatch::*words, std::int32_t value) {
    TokenBatch wrong = make_batch({3, 5}, config.vocabulary);
    (wrong.*words).data<std::int32_t>()[1] = value;
    return error_of([&] { decoder.loss(make_features(2, 4, 7, DType::f64), wrong, generator); });
  };
  CHECK(spoilt(&TokenBatch::targets, 23) == "decoder loss: word 23 at position 1 is outside [0,23)");
  CHECK(spoilt(&TokenBatch::inputs, -1) == "decoder loss: word -1 at position 1 is outside [0,23)");
  CHECK(spoilt(&TokenBatch::distinct, 99) == "decoder loss: word 99 at position 1 is outside [0,23)");
  CHECK(spoilt(&TokenBatch::slot, 99).starts_with("decoder loss: slot 99 at position 1 is outside [0,"));
  CHECK(spoilt(&TokenBatch::row_of_token, 2) == "decoder loss: row 2 at position 1 is outside [0,2)");
  TokenBatch unmade = batch;
  unmade.least_vocabulary = 0;
  CHECK_THROWS_WITH(decoder.loss(make_features(2, 4, 7, DType::f64), unmade, generator),
                    Contains("was not made by make_token_batch"));
  CHECK_THROWS_AS(make_token_batch({}), Error);
  CHECK_THROWS_AS(make_token_batch({{1}}), Error);
  CHECK_THROWS_WITH(make_token_batch({{1, 2}, {1, 2}}, {0}), Contains("1 images for 2 captions"));
  CHECK_THROWS_WITH(make_token_batch({{1, 2}, {1, 2}}, {0, 2}), Contains("image 2 of 2 captions"));
  CHECK_THROWS_WITH(make_token_batch({{1, 2}, {1, 2}}, {1, 1}), Contains("image 0 has no caption"));
  CHECK_THROWS_AS(Decoder(tutorial_decoder(0, 5), generator), Error);
  const auto refused = [&](auto change) {
    DecoderConfig wrong = config;
    change(wrong);
    return error_of([&] { Decoder(wrong, generator); });
  };
  CHECK(refused([](DecoderConfig& c) { c.projection = -1; }) == "decoder: projection -1 is negative; 0 is none");
  CHECK(refused([](DecoderConfig& c) { c.projection_dropout = 1; }) ==
        "decoder: projection_dropout 1 is outside [0,1)");
  CHECK(refused([](DecoderConfig& c) { c.embedding_dropout = -0.5; }) ==
        "decoder: embedding_dropout -0.5 is outside [0,1)");
  CHECK(refused([](DecoderConfig& c) {
          c.tied = true;
          c.hidden = 6;
        }) == "decoder: tied weights with a linear output need hidden = embedding, not 6 and 5");
}
