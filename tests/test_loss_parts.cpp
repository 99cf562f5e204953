// The decoder's loss where captions weigh more or less, and where a batch is a part of a larger one.

#include "catch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/models/decoder/decoder.h"

using namespace glimpse;

namespace {

constexpr std::int64_t channels = 7;

Decoder make_decoder() {
  DecoderConfig config;
  config.vocabulary = 23;
  config.channels = channels;
  config.embedding = config.attention_size = config.hidden = 5;
  Generator generator(7);
  Decoder decoder(config, generator);
  for (const NamedTensor& p : named_tensors(decoder)) fill_normal(p.tensor, 0, 0.5, generator);
  convert(decoder, DType::f64);
  return decoder;
}

Tensor make_features(std::int64_t images) {
  Generator generator(11);
  const Tensor features = empty({images, 3, channels}, DType::f64);
  fill_normal(features, 0, 1, generator);
  return features;
}

/// Caption number `i` of `length` words, `<end>` among them.
std::vector<std::int32_t> caption(std::int64_t i, int length) {
  std::vector<std::int32_t> words{start_word};
  for (int w = 1; w < length; ++w) words.push_back(static_cast<std::int32_t>((7 * i + w) % 23));
  words.push_back(end_word);
  return words;
}

}  // namespace

TEST_CASE("weights of captions enter the fused loss as they enter the plain one", "[gradient]") {
  const TokenBatch batch = make_token_batch({caption(0, 3), caption(1, 5), caption(2, 2)});
  for (const Reduction reduction : {Reduction::paper, Reduction::tutorial}) {
    LossOptions options{.reduction = reduction, .label_smoothing = 0.1};
    options.caption_weights = {0.5, -2, 1.25};
    options.of_tokens = 40;
    options.of_rows = 7;
    std::vector<Tensor> gradients[2];
    double losses[2];
    for (const bool fused : {false, true}) {
      Decoder decoder = make_decoder();
      const Tensor features = make_features(3);
      Generator generator(5);
      const DecoderLoss loss = fused ? decoder.loss(features, batch, generator, options)
                                     : decoder.loss_stepwise(features, batch, generator, options);
      loss.total.backward();
      losses[fused] = loss.total.item();
      for (const NamedTensor& p : parameters(decoder)) gradients[fused].push_back(p.tensor.grad());
    }
    CHECK(losses[1] == Approx(losses[0]).epsilon(1e-11));
    for (std::size_t i = 0; i < gradients[0].size(); ++i) {
      const std::vector<double> plain = gradients[0][i].to_vector<double>(),
                                fused = gradients[1][i].to_vector<double>();
      for (std::size_t k = 0; k < plain.size(); ++k) REQUIRE(fused[k] == Approx(plain[k]).epsilon(1e-9).margin(1e-12));
    }
  }
}

TEST_CASE("a weight belongs to the caption that was given with it") {
  const Decoder decoder = make_decoder();
  const std::vector<std::vector<std::int32_t>> captions{caption(0, 2), caption(1, 4), caption(2, 3)};
  const Tensor features = make_features(1);
  LossOptions options{.doubly_stochastic = 0, .train = false};
  Generator generator(1);
  for (std::size_t i = 0; i < captions.size(); ++i) {
    options.caption_weights.assign(3, 0);
    options.caption_weights[i] = -1.5;
    const double together =
        decoder.loss(features, make_token_batch(captions, {0, 0, 0}), generator, options).total.item();
    options.caption_weights.clear();
    const DecoderLoss alone = decoder.loss(features, make_token_batch({captions[i]}), generator, options);
    CHECK(together == Approx(-1.5 * alone.total.item() * static_cast<double>(alone.tokens) / 9).epsilon(1e-12));
  }
  options.caption_weights = {1};
  CHECK_THROWS_AS(decoder.loss(features, make_token_batch(captions, {0, 0, 0}), generator, options), Error);
}

TEST_CASE("the losses of the parts of a batch add up to that of the whole") {
  const std::vector<int> lengths{6, 4, 3, 5};
  const Tensor features = make_features(4);
  for (const Reduction reduction : {Reduction::paper, Reduction::tutorial}) {
    LossOptions options{.doubly_stochastic = 0.7, .reduction = reduction, .train = false};
    const auto loss = [&](const std::vector<std::int64_t>& which) {
      const Decoder decoder = make_decoder();
      std::vector<std::vector<std::int32_t>> captions;
      std::vector<Tensor> rows;
      for (const std::int64_t i : which) captions.push_back(caption(i, lengths[i]));
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
