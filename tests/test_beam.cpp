// Beam search: exhaustive where the beam holds everything, greedy with one beam, and the same for a batch as for each
// image alone.

#include <algorithm>
#include <cmath>

#include "catch.h"
#include "glimpse/kernels/base/error.h"
#include "small_decoders.h"

using namespace glimpse;

namespace {

struct Scored {
  std::vector<std::int32_t> words;
  double score;
};

/// Every caption of at most `most` predictions that ends, best first.
std::vector<Scored> all_captions(const Decoder& decoder, const Tensor& features, std::size_t most, double penalty) {
  std::vector<Scored> result;
  std::vector<std::vector<std::int32_t>> beginnings{{}};
  for (std::size_t length = 1; length <= most; ++length) {
    std::vector<std::vector<std::int32_t>> longer;
    for (const auto& beginning : beginnings)
      for (std::int32_t word = end_word; word < decoder.config.vocabulary; ++word) {
        std::vector<std::int32_t> words = beginning;
        words.push_back(word);
        if (word != end_word)
          longer.push_back(words);
        else
          result.push_back({words, log_probability(decoder, features, words) /
                                       std::pow(static_cast<double>(words.size()), penalty)});
      }
    beginnings = std::move(longer);
  }
  std::sort(result.begin(), result.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
  return result;
}

}  // namespace

TEST_CASE("a beam that holds everything finds the best captions of all") {
  for (const bool paper : {false, true})
    for (const double penalty : {0.0, 1.0, 2.5}) {
      const Decoder decoder = make_decoder(6, paper, DType::f64, penalty == 1);
      const Tensor features = make_features(3);
      BeamOptions options;
      options.max_length = 3;
      options.beam = 4 * 4 * 4;
      options.n_best = 5;
      options.length_penalty = penalty;
      const auto found = beam_search(decoder, features, options);
      REQUIRE(found.size() == 3);
      for (std::int64_t i = 0; i < 3; ++i) {
        const auto truth = all_captions(decoder, features.rows(i, i + 1), 3, penalty);
        const auto& captions = found[i];
        REQUIRE(captions.size() == 5);
        for (std::size_t n = 0; n < 5; ++n) {
          INFO("paper " << paper << " penalty " << penalty << " image " << i << " place " << n);
          CHECK(captions[n].finished);
          CHECK(with_end(captions[n]) == truth[n].words);
          CHECK(captions[n].score == Approx(truth[n].score).epsilon(1e-12));
        }
      }
    }
}

TEST_CASE("a beam of the size of the vocabulary is exhaustive for two words") {
  const Decoder decoder = make_decoder(5, false);
  favour_end(decoder, 2);
  const Tensor features = make_features(6);
  BeamOptions options;
  options.max_length = 2;
  options.beam = 5;
  const auto found = beam_search(decoder, features, options);
  for (std::int64_t i = 0; i < 6; ++i) {
    const auto truth = all_captions(decoder, features.rows(i, i + 1), 2, 0);
    CHECK(with_end(found[i][0]) == truth[0].words);
  }
}

TEST_CASE("one beam is greedy search") {
  for (const bool paper : {false, true}) {
    const Decoder decoder = make_decoder(30, paper);
    const Tensor features = make_features(8);
    BeamOptions options;
    options.beam = 1;
    options.max_length = 12;
    const auto found = beam_search(decoder, features, options);
    for (std::int64_t i = 0; i < 8; ++i) {
      const Tensor image = features.rows(i, i + 1);
      const DecoderMemory memory = decoder.remember(image);
      DecoderState state = decoder.start(memory);
      std::vector<std::int32_t> words;
      std::int32_t read = start_word;
      while (words.size() < 12 && read != end_word) {
        const DecoderStep step = decoder.step(memory, from_vector(std::vector<std::int32_t>{read}), state);
        std::vector<double> logits = step.logits.to_vector<double>();
        logits[pad_word] = logits[start_word] = -1e30;
        read = static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
        words.push_back(read);
        state = step.state;
      }
      const Caption& caption = found[i][0];
      CHECK(with_end(caption) == words);
      CHECK(caption.finished == (words.back() == end_word));
      CHECK(caption.log_probability == Approx(log_probability(decoder, image, words)).epsilon(1e-12));
    }
  }
}

TEST_CASE("images in a batch get the captions that they get alone") {
  for (const DType dtype : {DType::f64, DType::f32}) {
    const Decoder decoder = make_decoder(40, true, dtype);
    const Tensor features = make_features(9, dtype);
    BeamOptions options;
    options.beam = options.n_best = 4;
    options.max_length = 9;
    options.length_penalty = 0.7;
    options.keep_alphas = true;
    const auto together = beam_search(decoder, features, options);
    for (std::int64_t i = 0; i < 9; ++i) {
      const auto alone = beam_search(decoder, features.rows(i, i + 1), options)[0];
      const auto& captions = together[i];
      REQUIRE(captions.size() == alone.size());
      for (std::size_t n = 0; n < alone.size(); ++n) {
        CHECK(captions[n].words == alone[n].words);
        CHECK(captions[n].score == Approx(alone[n].score).epsilon(1e-5));
        CHECK(captions[n].finished == alone[n].finished);
      }
    }
  }
}

TEST_CASE("attention maps are those of the caption's own words") {
  const Decoder decoder = make_decoder(20, false);
  const Tensor features = make_features(2);
  BeamOptions options;
  options.beam = options.n_best = 3;
  options.max_length = 6;
  options.keep_alphas = true;
  const auto found = beam_search(decoder, features, options);
  for (std::int64_t i = 0; i < 2; ++i) {
    const Tensor image = features.rows(i, i + 1);
    const DecoderMemory memory = decoder.remember(image);
    for (const Caption& caption : found[i]) {
      const std::vector<std::int32_t> words = with_end(caption);
      REQUIRE(caption.alphas.shape() == Shape{static_cast<std::int64_t>(words.size()), locations});
      DecoderState state = decoder.start(memory);
      std::int32_t read = start_word;
      for (std::size_t t = 0; t < words.size(); ++t) {
        const DecoderStep step = decoder.step(memory, from_vector(std::vector<std::int32_t>{read}), state);
        const auto row = static_cast<std::int64_t>(t);
        const std::vector<double> expected = step.alpha.to_vector<double>();
        const std::vector<double> kept = caption.alphas.rows(row, row + 1).to_vector<double>();
        for (std::size_t l = 0; l < expected.size(); ++l)
          CHECK(kept[l] == Approx(expected[l]).epsilon(1e-5).margin(1e-7));
        state = step.state;
        read = words[t];
      }
    }
  }
}

TEST_CASE("captions that never end are returned unfinished, and ended ones come first") {
  const Decoder decoder = make_decoder(12, false);
  const Tensor features = make_features(3);
  BeamOptions options;
  options.beam = options.n_best = 3;
  options.max_length = 4;
  favour_end(decoder, -1000);
  for (const auto& captions : beam_search(decoder, features, options)) {
    REQUIRE(captions.size() == 3);
    for (const Caption& caption : captions) {
      CHECK_FALSE(caption.finished);
      CHECK(caption.words.size() == 4);
    }
    CHECK(captions[0].score >= captions[1].score);
  }
  favour_end(decoder, 2000);
  for (const auto& captions : beam_search(decoder, features, options)) {
    REQUIRE_FALSE(captions.empty());
    CHECK(captions[0].finished);
    CHECK(captions[0].words.empty());
  }
}

TEST_CASE("padding and <start> are never written, <unk> only where it may") {
  const Decoder decoder = make_decoder(9, false);
  for (const std::int32_t word : {pad_word, start_word, unk_word}) decoder.output.bias.data<double>()[word] = 6;
  const Tensor features = make_features(4);
  BeamOptions options;
  options.beam = 3;
  options.n_best = 3;
  options.max_length = 5;
  bool unknown = false;
  for (const bool suppress : {false, true}) {
    options.suppress_unk = suppress;
    for (const auto& captions : beam_search(decoder, features, options))
      for (const Caption& caption : captions)
        for (const std::int32_t word : caption.words) {
          CHECK(word > end_word);
          if (suppress) CHECK(word != unk_word);
          unknown = unknown || word == unk_word;
        }
  }
  CHECK(unknown);
}

TEST_CASE("a decoder without attention searches as well") {
  DecoderConfig config = tutorial_decoder(10, channels);
  config.attention = AttentionKind::none;
  config.embedding = 4;
  config.hidden = 3;
  Generator generator(2);
  Decoder decoder(config, generator);
  convert(decoder, DType::f64);
  BeamOptions options;
  options.max_length = 5;
  options.keep_alphas = true;
  const auto found = beam_search(decoder, make_features(2), options);
  REQUIRE(found.size() == 2);
  CHECK_FALSE(found[0][0].alphas.defined());
  CHECK(found[0][0].log_probability ==
        Approx(log_probability(decoder, make_features(2).rows(0, 1), with_end(found[0][0]))));
}

TEST_CASE("a decoder with a visual sentinel searches as it steps") {
  for (const OutputLayer output : {OutputLayer::linear, OutputLayer::deep}) {
    DecoderConfig config = tutorial_decoder(10, channels);
    config.attention = AttentionKind::sentinel;
    config.output = output;
    const Decoder decoder = make_decoder(config);
    BeamOptions options;
    options.max_length = 5;
    options.keep_alphas = true;
    const Tensor features = make_features(2);
    const auto found = beam_search(decoder, features, options);
    for (std::int64_t i = 0; i < 2; ++i) {
      const Caption& best = found[i][0];
      const DecoderMemory memory = decoder.remember(features.rows(i, i + 1));
      DecoderState state = decoder.start(memory);
      std::vector<std::int32_t> read = with_end(best);
      read.insert(read.begin(), start_word);
      double total = 0;
      for (std::int64_t t = 0; t + 1 < std::ssize(read); ++t) {
        const DecoderStep step = decoder.step(memory, from_vector(std::vector<std::int32_t>{read[t]}), state);
        CHECK(best.betas.data<float>()[t] == Approx(step.beta.item()));
        for (std::int64_t l = 0; l < locations; ++l)
          CHECK(best.alphas.data<float>()[t * locations + l] == Approx(step.alpha.data<double>()[l]));
        total += log_softmax(step.logits).to_vector<double>()[read[t + 1]];
        state = step.state;
      }
      CHECK(best.log_probability == Approx(total).epsilon(1e-12));
    }
  }
}

TEST_CASE("beam search refuses senseless options") {
  const Decoder decoder = make_decoder(9, false);
  const auto run = [&](BeamOptions options) { return beam_search(decoder, make_features(1), options); };
  BeamOptions options;
  options.beam = 0;
  CHECK_THROWS_WITH(run(options), "beam search: beam is 0, at least 1 is needed");
  options = {};
  options.max_length = 0;
  CHECK_THROWS_AS(run(options), Error);
  options = {};
  options.n_best = 4;
  CHECK_THROWS_AS(run(options), Error);
  CHECK_THROWS_AS(beam_search(decoder, make_features(1, DType::f32)), Error);
  CHECK(beam_search(decoder, make_features(0)).empty());
}
