// Scheduled sampling: words of the input are replaced by words that the decoder draws, as often as is asked for, by its
// probabilities, on both ways to the loss.

#include <algorithm>

#include "decoder_trial.h"
#include "error_of.h"
#include "glimpse/models/decoder/internal/scheduled_sampling.h"

using namespace glimpse;
using namespace glimpse::test;

namespace {

const std::vector<std::vector<std::int32_t>> captions{
    {start_word, 5, 7, 5, 9, end_word}, {start_word, 4, end_word}, {start_word, 12, 6, 8, end_word}};

/// The batch that the loss reads.
TokenBatch drawn(const Decoder& decoder, const Tensor& features, const TokenBatch& batch, Generator& generator,
                 double probability) {
  return with_drawn_inputs(decoder, features, batch, {}, {}, generator, {.scheduled_sampling = probability});
}

std::vector<std::int32_t> inputs_of(const TokenBatch& batch) { return batch.inputs.to_vector<std::int32_t>(); }

}  // namespace

TEST_CASE("both ways to the loss read the same drawn words", "[gradient]") {
  const std::vector<int> words{3, 9, 1, 4, 4, 6};
  for (const DecoderConfig& config : all_kinds())
    for (const double probability : {0.4, 1.0}) {
      INFO("attention " << name_of(config.attention) << ", probability " << probability);
      LossOptions options = paper_loss();
      options.scheduled_sampling = probability;
      compare({config, options, words}, DType::f64, 1e-10);
      compare({config, options, words, 4, {1, 0, 1, 2, 2, 1}}, DType::f64, 1e-10);
    }
}

TEST_CASE("with probability 0, and when not in training, nothing is drawn") {
  const DecoderConfig config = small(paper_decoder(1, 1));
  const Decoder decoder = make_decoder(config, DType::f64);
  const TokenBatch batch = make_token_batch(captions);
  const Tensor features = make_features(3, 4, config.channels, DType::f64);
  const auto loss = [&](double probability, bool train) {
    Generator generator(5);
    LossOptions options;
    options.scheduled_sampling = probability;
    options.train = train;
    const double value = decoder.loss(features, batch, generator, options).total.item();
    return std::pair(value, generator.state().position);
  };
  CHECK(loss(0, false) == loss(1, false));
  CHECK(loss(0, true).second < loss(1, true).second);
  CHECK(loss(0, true).first != loss(1, true).first);
  Generator generator(5);
  CHECK(inputs_of(drawn(decoder, features, batch, generator, 0)) == inputs_of(batch));
  CHECK(generator.state().position == 0);
  CHECK_THAT(error_of([&] { loss(1.5, true); }), Contains("scheduled sampling 1.5 is outside [0,1]"));
  CHECK_THROWS_AS(loss(-0.1, true), Error);
}

TEST_CASE("with probability 1 all words but <start> are drawn") {
  const DecoderConfig config = small(tutorial_decoder(1, 1));
  const Decoder decoder = make_decoder(config, DType::f64);
  const TokenBatch batch = make_token_batch(captions);
  const Tensor features = make_features(3, 4, config.channels, DType::f64);
  decoder.output.bias.data<double>()[17] += 100;
  for (const std::int32_t word : {pad_word, start_word, end_word}) decoder.output.bias.data<double>()[word] += 200;
  Generator generator(5);
  const TokenBatch mixed = drawn(decoder, features, batch, generator, 1);
  const std::vector<std::int32_t> words = inputs_of(mixed);
  for (std::size_t i = 0; i < words.size(); ++i) CHECK(words[i] == (i < captions.size() ? start_word : 17));
  CHECK(mixed.distinct.to_vector<std::int32_t>() == std::vector<std::int32_t>{start_word, 17});
  CHECK(mixed.targets.to_vector<std::int32_t>() == batch.targets.to_vector<std::int32_t>());

  // So the loss is that of a batch that reads these words.
  LossOptions options;
  options.train = false;
  Generator unused(1), same(1);
  const double expected = decoder.loss(features, with_inputs(batch, words), unused, options).total.item();
  Decoder plain = decoder;
  plain.config.dropout = 0;
  options.train = true;
  options.scheduled_sampling = 1;
  CHECK(plain.loss(features, batch, same, options).total.item() == expected);

  CHECK_THAT(error_of([&] { with_inputs(batch, {1, 2}); }), Contains("2 inputs for 11 words"));
  CHECK_THAT(error_of([&] { with_inputs(batch, std::vector<std::int32_t>(11, -1)); }), Contains("input -1"));
}

TEST_CASE("words are drawn as often as is asked for, by what the decoder makes of the true words before") {
  const DecoderConfig config = small(paper_decoder(1, 1));
  const Decoder decoder = make_decoder(config, DType::f64);
  const std::vector<std::int32_t>& caption = captions[0];
  const TokenBatch batch = make_token_batch({captions[1], caption, {start_word, 9, 9, 9, 9, 9, 9, end_word}});
  const Tensor features = make_features(3, 4, config.channels, DType::f64);
  const std::int64_t row = 1;  // the caption's, of the second length
  const DecoderMemory memory = decoder.remember(features.rows(row, row + 1));
  DecoderState state = decoder.start(memory);
  std::vector<std::vector<double>> expected;  // of the word that is read at steps 1, 2, ...
  for (std::size_t t = 0; t + 2 < caption.size(); ++t) {
    const DecoderStep step = decoder.step(memory, from_vector(std::vector<std::int32_t>{caption[t]}), state);
    state = step.state;
    std::vector<double> p = softmax(step.logits).to_vector<double>();
    p[pad_word] = p[start_word] = p[end_word] = 0;
    double total = 0;
    for (const double value : p) total += value;
    for (double& value : p) value /= total;
    expected.push_back(p);
  }
  constexpr int count = 4000;
  for (const double probability : {0.3, 1.0}) {
    std::vector<std::vector<double>> found(expected.size(), std::vector<double>(expected[0].size(), 0));
    Generator generator(8);
    for (int i = 0; i < count; ++i) {
      const std::vector<std::int32_t> words = inputs_of(drawn(decoder, features, batch, generator, probability));
      REQUIRE(words[row] == start_word);
      for (std::size_t t = 0; t < expected.size(); ++t) found[t][words[batch.offset[t + 1] + row]] += 1.0 / count;
    }
    for (std::size_t t = 0; t < expected.size(); ++t)
      for (std::size_t word = 0; word < expected[t].size(); ++word) {
        const bool is_true_word = static_cast<std::int32_t>(word) == caption[t + 1];
        const double p = probability * expected[t][word] + (is_true_word ? 1 - probability : 0);
        CAPTURE(probability, t, word);
        CHECK(std::abs(found[t][word] - p) < 4.5 * std::sqrt(p * (1 - p) / count) + 1e-9);
      }
  }
}

TEST_CASE("each word is drawn by a number of its own") {
  const DecoderConfig config = small(tutorial_decoder(1, 1));
  const Decoder decoder = make_decoder(config, DType::f64);
  decoder.output.weight.fill(0);
  decoder.output.bias.fill(0);  // all words are equally likely everywhere
  const TokenBatch batch = make_token_batch(captions);
  Generator generator(5);
  const TokenBatch mixed = drawn(decoder, make_features(3, 4, config.channels, DType::f64), batch, generator, 1);
  CHECK(mixed.distinct.numel() > 4);  // of eight words that are drawn among 20
}

TEST_CASE("a decoder that knows no word to read reads the true ones") {
  DecoderConfig config = small(tutorial_decoder(1, 1));
  config.vocabulary = 3;  // <end> is the only word
  const Decoder decoder = make_decoder(config, DType::f64);
  const TokenBatch batch = make_token_batch({{start_word, end_word, end_word}});
  const Tensor features = make_features(1, 4, config.channels, DType::f64);
  Generator generator(5);
  CHECK(inputs_of(drawn(decoder, features, batch, generator, 1)) == inputs_of(batch));
}
