// Captions drawn at random, and captions chosen by their agreement.

#include <algorithm>
#include <cmath>
#include <set>

#include "catch.h"
#include "error_of.h"
#include "glimpse/models/search/minimum_bayes_risk.h"
#include "glimpse/models/search/sample.h"
#include "small_decoders.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

using Words = std::vector<std::int32_t>;

std::vector<SearchMember> alone(const Decoder& decoder, const Tensor& features) { return {{decoder, features}}; }

}  // namespace

TEST_CASE("samples follow the model's probabilities") {
  const DType dtype = GENERATE(DType::f64, DType::f32);
  const Decoder decoder = make_decoder(7, false, dtype);
  const Tensor image = make_features(1, dtype);
  const int count = 4000;
  const DecoderMemory memory = decoder.remember(image);
  const DecoderStep first = decoder.step(memory, from_vector(Words{start_word}), decoder.start(memory));
  std::vector<double> logits = first.logits.to_vector<double>();
  for (const double temperature : {1.0, 0.5}) {
    SampleOptions options{.count = count, .max_length = 1, .temperature = temperature};
    std::vector<double> expected;
    double total = 0;
    for (std::int32_t word = 0; word < 7; ++word) {
      expected.push_back(word < end_word ? 0 : std::exp(logits[word] / temperature));
      total += expected.back();
    }
    std::vector<double> drawn(7, 0);
    const std::vector<Caption> captions = sample_captions(alone(decoder, image), options)[0];
    REQUIRE(captions.size() == count);
    for (const Caption& caption : captions) {
      const Words words = with_end(caption);
      REQUIRE(words.size() == 1);
      ++drawn[words[0]];
      const double epsilon = dtype == DType::f64 ? 1e-10 : 1e-5;
      CHECK(caption.log_probability == Approx(log_probability(decoder, image, words)).epsilon(epsilon));
    }
    for (std::size_t word = 0; word < 7; ++word) {
      const double p = expected[word] / total;
      CHECK(std::abs(drawn[word] / count - p) < 4 * std::sqrt(p * (1 - p) / count) + 1e-9);
    }
  }
}

TEST_CASE("top-k and nucleus leave the unlikely words out") {
  const Decoder decoder = make_decoder(12, false);
  const Tensor image = make_features(1);
  const DecoderMemory memory = decoder.remember(image);
  const DecoderStep first = decoder.step(memory, from_vector(Words{start_word}), decoder.start(memory));
  std::vector<std::pair<double, std::int32_t>> order;
  double total = 0;
  const std::vector<double> probability = softmax(first.logits).to_vector<double>();
  for (std::int32_t word = end_word; word < 12; ++word) {
    order.emplace_back(-probability[word], word);
    total += probability[word];
  }
  std::sort(order.begin(), order.end());
  const auto drawn = [&](const SampleOptions& options) {
    std::set<std::int32_t> words;
    const std::vector<Caption> captions = sample_captions(alone(decoder, image), options)[0];
    for (const Caption& caption : captions) words.insert(with_end(caption)[0]);
    return words;
  };
  const auto likeliest = [&](std::size_t count) {
    std::set<std::int32_t> words;
    for (std::size_t i = 0; i < count; ++i) words.insert(order[i].second);
    return words;
  };
  SampleOptions options{.count = 3000, .max_length = 1};
  options.top_k = 3;
  CHECK(drawn(options) == likeliest(3));
  options.top_k = 1;
  CHECK(drawn(options) == likeliest(1));
  options.top_k = 0;
  std::size_t held = 0;
  double sum = 0;
  while (sum < 0.7 * total) sum -= order[held++].first;
  options.top_p = 0.7;
  CHECK(drawn(options) == likeliest(held));
  options.top_p = 1e-6;
  CHECK(drawn(options) == likeliest(1));
}

TEST_CASE("samples depend on the seed and the image alone") {
  const Decoder decoder = make_decoder(25, true);
  const Tensor features = make_features(6);
  SampleOptions options{.count = 3, .max_length = 9, .seed = 5};
  options.keep_alphas = true;
  options.no_repeat_ngram = 2;
  options.min_length = 2;
  const auto all = sample_captions(alone(decoder, features), options);
  options.first_image = 4;
  const auto tail = sample_captions(alone(decoder, features.rows(4, 6)), options);
  options.first_image = 0;
  options.seed = 6;
  const auto other = sample_captions(alone(decoder, features), options);
  bool differ = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    REQUIRE(all[i].size() == 3);
    for (std::size_t s = 0; s < 3; ++s) {
      const Caption& caption = all[i][s];
      CHECK_FALSE(repeats(caption.words, 2));
      CHECK(caption.words.size() >= 2);
      CHECK(caption.alphas.size(0) == std::ssize(with_end(caption)));
      const auto row = static_cast<std::int64_t>(i);
      CHECK(caption.log_probability ==
            Approx(log_probability(decoder, features.rows(row, row + 1), with_end(caption))).epsilon(1e-10));
      if (s > 0 && caption.finished == all[i][s - 1].finished) CHECK(caption.score <= all[i][s - 1].score);
      if (i >= 4) CHECK(caption.words == tail[i - 4][s].words);
      differ = differ || caption.words != other[i][s].words;
    }
  }
  CHECK(differ);
}

TEST_CASE("minimum Bayes risk takes the caption that the others agree with") {
  const auto caption = [](const Words& words, double probability) {
    Caption c;
    c.words = words;
    c.score = c.log_probability = std::log(probability);
    return c;
  };
  // The likeliest one stands alone; two others differ in a word.
  const std::vector<Caption> captions = {caption({10, 11, 12, 13, 14}, 0.4), caption({4, 5, 6, 7, 8}, 0.35),
                                         caption({4, 5, 6, 7, 9}, 0.25)};
  for (const ChooseBy by : {ChooseBy::cider, ChooseBy::bleu}) {
    std::vector<Caption> chosen = captions;
    choose(chosen, by);
    CHECK(chosen[0].words == captions[1].words);
    CHECK(chosen[1].words == captions[2].words);
    CHECK(chosen[2].words == captions[0].words);
  }
  std::vector<Caption> kept = captions;
  choose(kept, ChooseBy::score);
  CHECK(kept[0].words == captions[0].words);
  // CIDEr-D of {4,5,6,7,8} and {4,5,6,7,9}: 4 of 5, 3 of 4, 2 of 3 and 1 of 2 n-grams.
  const std::vector<double> cider = expected_gains(captions, ChooseBy::cider);
  CHECK(cider[0] == Approx(0.4 * 10));
  CHECK(cider[1] == Approx(0.35 * 10 + 0.25 * 10 * (4.0 / 5 + 3.0 / 4 + 2.0 / 3 + 1.0 / 2) / 4));
  // BLEU-4 with counts raised by one: 4/5, 4/5, 3/4, 2/3.
  const std::vector<double> bleu = expected_gains(captions, ChooseBy::bleu);
  CHECK(bleu[1] == Approx(0.35 + 0.25 * std::pow(4.0 / 5 * 4 / 5 * 3 / 4 * 2 / 3, 0.25)));
  CHECK(expected_gains({}, ChooseBy::cider).empty());
  std::vector<Caption> with_empty = {caption({}, 0.5), caption({4}, 0.5)};
  choose(with_empty, ChooseBy::bleu);
  CHECK(std::isfinite(with_empty[0].score));
  choose(with_empty, ChooseBy::cider);
  CHECK(std::isfinite(with_empty[1].score));
}

TEST_CASE("what must not be written is never drawn, however likely") {
  const Decoder decoder = make_decoder(9, false);
  for (const std::int32_t word : {pad_word, start_word, unk_word}) decoder.output.bias.data<double>()[word] += 20;
  SampleOptions options{.count = 50, .max_length = 6};
  for (const bool suppress : {false, true}) {
    options.suppress_unk = suppress;
    const std::vector<Caption> captions = sample_captions(alone(decoder, make_features(1)), options)[0];
    for (const Caption& caption : captions)
      for (const std::int32_t word : caption.words) CHECK((word == unk_word) == !suppress);
  }
}

TEST_CASE("there is a sample even where no word may be written") {
  const Decoder decoder = make_decoder(5, false);  // <unk> and one word
  SampleOptions sampling{.count = 2, .max_length = 9};
  sampling.no_repeat_ngram = 1;
  sampling.min_length = 8;
  for (const auto& captions : sample_captions(alone(decoder, make_features(2)), sampling)) {
    REQUIRE(captions.size() == 2);
    for (const Caption& caption : captions) CHECK(caption.words.size() == 2);
  }
}

TEST_CASE("sampling refuses senseless options") {
  const Decoder decoder = make_decoder(9, false);
  const auto sample = [&](SampleOptions o) {
    return error_of([&] { sample_captions(alone(decoder, make_features(1)), o); });
  };
  CHECK_THAT(sample({.count = 0}), Contains("count is 0"));
  CHECK_THAT(sample({.temperature = 0}), Contains("temperature of 0"));
  CHECK_THAT(sample({.temperature = std::nan("")}), Contains("temperature of nan"));
  CHECK_THAT(sample({.top_k = -1}), Contains("top_k is -1"));
  CHECK_THAT(sample({.top_p = 0}), Contains("top_p 0"));
  CHECK(sample_captions(alone(decoder, make_features(0))).empty());
}
