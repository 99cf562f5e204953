// What the searches can be told beyond a beam: each option against its definition, by exhaustive search where the
// vocabulary is small enough.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "catch.h"
#include "error_of.h"
#include "small_decoders.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

using Words = std::vector<std::int32_t>;

struct Scored {
  Words words;  // with <end>
  double score;
};

/// Every caption of `least` to `most` predictions that ends, best first by score(words).
template <class Score>
std::vector<Scored> all_captions(std::int64_t vocabulary, std::size_t least, std::size_t most, Score score) {
  std::vector<Scored> result;
  std::vector<Words> beginnings{{}};
  for (std::size_t length = 1; length <= most; ++length) {
    std::vector<Words> longer;
    for (const Words& beginning : beginnings)
      for (std::int32_t word = end_word; word < vocabulary; ++word) {
        Words words = beginning;
        words.push_back(word);
        if (word != end_word)
          longer.push_back(words);
        else if (length >= least)
          result.push_back({words, score(words)});
      }
    beginnings = std::move(longer);
  }
  std::sort(result.begin(), result.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
  return result;
}

/// The attention (n,L) to all words of a caption.
std::vector<double> attention_sums(const Decoder& decoder, const Tensor& image, const Words& words) {
  const DecoderMemory memory = decoder.remember(image);
  DecoderState state = decoder.start(memory);
  std::vector<double> sums(static_cast<std::size_t>(locations), 0);
  std::int32_t read = start_word;
  for (const std::int32_t word : words) {
    const DecoderStep step = decoder.step(memory, from_vector(Words{read}), state);
    const std::vector<double> alpha = step.alpha.to_vector<double>();
    for (std::size_t l = 0; l < sums.size(); ++l) sums[l] += alpha[l];
    state = step.state;
    read = word;
  }
  return sums;
}

/// A beam that holds everything finds exactly the best of `truth`.
void check_exhaustive(const Decoder& decoder, const Tensor& image, BeamOptions options,
                      const std::vector<Scored>& truth) {
  options.beam = 4 * 4 * 4 * 4;
  options.n_best = 5;
  const std::vector<Caption> found = beam_search(decoder, image, options)[0];
  REQUIRE(found.size() == 5);
  for (std::size_t n = 0; n < 5; ++n) {
    INFO("place " << n);
    CHECK(with_end(found[n]) == truth[n].words);
    CHECK(found[n].score == Approx(truth[n].score).epsilon(1e-10));
  }
}

}  // namespace

TEST_CASE("GNMT's length norm ranks all captions by its formula") {
  const Decoder decoder = make_decoder(6, false);
  const Tensor image = make_features(1);
  for (const double a : {0.6, 2.0}) {
    BeamOptions options{.max_length = 4, .length_penalty = a};
    options.length_norm = LengthNorm::gnmt;
    check_exhaustive(decoder, image, options, all_captions(6, 1, 4, [&](const Words& words) {
                       return log_probability(decoder, image, words) /
                              std::pow((5 + static_cast<double>(words.size())) / 6, a);
                     }));
  }
}

TEST_CASE("a coverage penalty ranks by what was looked at") {
  const Decoder decoder = make_decoder(6, true);
  const Tensor image = make_features(1);
  BeamOptions options{.max_length = 4, .length_penalty = 1};
  options.coverage_penalty = 3;
  const auto score = [&](const Words& words) {
    double coverage = 0;
    for (const double sum : attention_sums(decoder, image, words)) coverage += std::log(std::min(sum, 1.0));
    return log_probability(decoder, image, words) / static_cast<double>(words.size()) + 3 * coverage;
  };
  const std::vector<Scored> truth = all_captions(6, 1, 4, score);
  check_exhaustive(decoder, image, options, truth);
  const std::vector<Scored> without = all_captions(6, 1, 4, [&](const Words& words) {
    return log_probability(decoder, image, words) / static_cast<double>(words.size());
  });
  const auto best_five = [](const std::vector<Scored>& captions) {
    std::vector<Words> words;
    for (std::size_t n = 0; n < 5; ++n) words.push_back(captions[n].words);
    return words;
  };
  CHECK(best_five(truth) != best_five(without));
}

TEST_CASE("captions hold at least as many words as asked for") {
  const Decoder decoder = make_decoder(6, false);
  favour_end(decoder, 3);
  const Tensor image = make_features(1);
  BeamOptions options{.max_length = 4};
  CHECK(beam_search(decoder, image, options)[0][0].words.size() < 2);
  options.min_length = 2;
  check_exhaustive(decoder, image, options,
                   all_captions(6, 3, 4, [&](const Words& words) { return log_probability(decoder, image, words); }));
  options.max_length = 12;
  options.min_length = 11;
  options.beam = options.n_best = 4;
  for (const auto& captions : beam_search(decoder, make_features(5), options)) {
    REQUIRE(captions.size() == 4);
    for (const Caption& caption : captions) CHECK(caption.words.size() == (caption.finished ? 11u : 12u));
  }
}

TEST_CASE("no n-gram stands twice") {
  const Decoder decoder = make_decoder(8, true);
  favour_end(decoder, -6);
  const Tensor features = make_features(6);
  for (const int n : {1, 2, 3}) {
    BeamOptions options{.beam = 4, .max_length = 14, .n_best = 4};
    bool repeated = false;
    for (const auto& captions : beam_search(decoder, features, options))
      for (const Caption& caption : captions)
        repeated = repeated || repeats(caption.words, static_cast<std::size_t>(n));
    CHECK(repeated);
    options.no_repeat_ngram = n;
    for (const auto& captions : beam_search(decoder, features, options)) {
      REQUIRE_FALSE(captions.empty());
      for (const Caption& caption : captions) CHECK_FALSE(repeats(caption.words, static_cast<std::size_t>(n)));
    }
  }
  // The words that are left out make room for others: a beam that holds everything finds the best that are left.
  const Tensor image = features.rows(0, 1);
  const Decoder small = make_decoder(6, true);
  BeamOptions options{.max_length = 4};
  options.no_repeat_ngram = 1;
  std::vector<Scored> truth =
      all_captions(6, 1, 4, [&](const Words& words) { return log_probability(small, image, words); });
  std::erase_if(truth, [](const Scored& caption) { return repeats(caption.words, 1); });
  check_exhaustive(small, image, options, truth);
}

TEST_CASE("there is a caption even where no word may be written") {
  const Decoder decoder = make_decoder(5, false);  // <unk> and one word
  BeamOptions options{.beam = 2, .max_length = 9};
  options.no_repeat_ngram = 1;
  options.min_length = 8;
  for (const auto& captions : beam_search(decoder, make_features(2), options)) {
    REQUIRE_FALSE(captions.empty());
    CHECK_FALSE(captions[0].finished);
    CHECK(captions[0].words.size() == 2);
  }
}

TEST_CASE("options that are off change nothing, and one group is the plain beam") {
  const Decoder decoder = make_decoder(30, true);
  const Tensor features = make_features(5);
  BeamOptions plain{.beam = 4, .max_length = 10, .length_penalty = 1, .keep_alphas = true, .n_best = 3};
  BeamOptions one = plain;
  one.groups = 1;
  one.diversity = 5;
  const auto a = beam_search(decoder, features, plain), b = beam_search(decoder, features, one);
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t n = 0; n < a[i].size(); ++n) {
      CHECK(a[i][n].words == b[i][n].words);
      CHECK(a[i][n].score == b[i][n].score);
    }
}

TEST_CASE("groups without diversity are each a beam of their own size") {
  const Decoder decoder = make_decoder(20, false);
  const Tensor features = make_features(4);
  BeamOptions narrow{.beam = 2, .max_length = 8, .length_penalty = 1, .n_best = 2};
  BeamOptions wide = narrow;
  wide.beam = 6;
  wide.groups = 3;
  wide.diversity = 0;
  wide.n_best = 2;
  const auto a = beam_search(decoder, features, narrow), b = beam_search(decoder, features, wide);
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(b[i].size() == 1);  // all groups have the same best caption, which counts once
    CHECK(b[i][0].words == a[i][0].words);
    CHECK(b[i][0].score == a[i][0].score);
  }
}

TEST_CASE("groups of one hypothesis are greedy searches that pay for words of those before them") {
  const Decoder decoder = make_decoder(15, true);
  const Tensor features = make_features(4);
  const int groups = 3;
  BeamOptions options{.beam = groups, .max_length = 6, .keep_alphas = true, .n_best = groups};
  options.groups = groups;
  options.diversity = 1.5;
  const auto found = beam_search(decoder, features, options);
  for (std::int64_t i = 0; i < 4; ++i) {
    const Tensor image = features.rows(i, i + 1);
    const DecoderMemory memory = decoder.remember(image);
    std::vector<DecoderState> state(groups, decoder.start(memory));
    std::vector<std::int32_t> read(groups, start_word);
    std::vector<Words> written(groups);
    for (int t = 0; t < 6; ++t) {
      std::map<std::int32_t, int> used;
      for (int g = 0; g < groups; ++g) {
        if (read[g] == end_word) continue;
        const DecoderStep step = decoder.step(memory, from_vector(Words{read[g]}), state[g]);
        std::vector<double> rated = log_softmax(step.logits).to_vector<double>();
        rated[pad_word] = rated[start_word] = -1e30;
        for (const auto& [word, times] : used) rated[word] -= 1.5 * times;
        read[g] = static_cast<std::int32_t>(std::max_element(rated.begin(), rated.end()) - rated.begin());
        ++used[read[g]];
        written[g].push_back(read[g]);
        state[g] = step.state;
      }
    }
    std::set<Words> expected(written.begin(), written.end()), ours;
    for (const Caption& caption : found[i]) {
      ours.insert(with_end(caption));
      CHECK(caption.log_probability == Approx(log_probability(decoder, image, with_end(caption))).epsilon(1e-12));
      CHECK(caption.alphas.size(0) == std::ssize(with_end(caption)));
    }
    CHECK(ours == expected);
    CHECK(expected.size() > 1);
  }
}

TEST_CASE("an ensemble writes by the mean of its members' probabilities") {
  const Decoder a = make_decoder(6, false), b = make_decoder(6, true);
  for (const std::int32_t word : {3, 4}) b.output.bias.data<double>()[word] += 2;
  const Tensor of_a = make_features(2), of_b = make_features(2) * 0.5;
  BeamOptions options{.beam = 64, .max_length = 3, .n_best = 4};
  const auto found = beam_search({{a, of_a}, {b, of_b}}, options);
  const auto probabilities = [](const Decoder& decoder, const Tensor& image, const Words& words) {
    const DecoderMemory memory = decoder.remember(image);
    DecoderState state = decoder.start(memory);
    std::vector<double> result;
    std::int32_t read = start_word;
    for (const std::int32_t word : words) {
      const DecoderStep step = decoder.step(memory, from_vector(Words{read}), state);
      result.push_back(softmax(step.logits).to_vector<double>()[word]);
      state = step.state;
      read = word;
    }
    return result;
  };
  for (std::int64_t i = 0; i < 2; ++i) {
    const auto truth = all_captions(6, 1, 3, [&](const Words& words) {
      const auto x = probabilities(a, of_a.rows(i, i + 1), words), y = probabilities(b, of_b.rows(i, i + 1), words);
      double sum = 0;
      for (std::size_t t = 0; t < words.size(); ++t) sum += std::log((x[t] + y[t]) / 2);
      return sum;
    });
    for (std::size_t n = 0; n < 4; ++n) {
      CHECK(with_end(found[i][n]) == truth[n].words);
      CHECK(found[i][n].score == Approx(truth[n].score).epsilon(1e-10));
    }
  }
  // One model twice is that model.
  const auto twice = beam_search({{a, of_a}, {a, of_a}}, options), once = beam_search(a, of_a, options);
  for (std::size_t n = 0; n < 4; ++n) CHECK(twice[0][n].words == once[0][n].words);
  CHECK_THAT(error_of([&] {
               beam_search({{a, of_a}, {make_decoder(7, false), of_a}}, options);
             }),
             Contains("vocabularies of 6 and 7 words"));
  CHECK_THAT(error_of([&] { beam_search({{a, of_a}, {b, make_features(3)}}, options); }), Contains("2 and 3 images"));
  CHECK_THROWS_AS(beam_search(std::vector<SearchMember>{}, options), Error);
}

TEST_CASE("the searches refuse senseless options") {
  const Decoder decoder = make_decoder(9, false);
  const auto beam = [&](BeamOptions options) {
    return error_of([&] { beam_search(decoder, make_features(1), options); });
  };
  BeamOptions options;
  options.groups = 2;
  CHECK(beam(options) == "beam search: a beam of 3 cannot be cut into 2 groups");
  options = {};
  options.min_length = 40;
  CHECK_THAT(beam(options), Contains("min_length 40"));
  options = {};
  options.no_repeat_ngram = -1;
  CHECK_THAT(beam(options), Contains("no_repeat_ngram is -1"));
  options = {};
  options.coverage_penalty = -1;
  CHECK_THAT(beam(options), Contains("coverage penalty -1 is negative"));
  DecoderConfig config = tutorial_decoder(10, channels);
  config.attention = AttentionKind::none;
  options.coverage_penalty = 1;
  CHECK_THAT(error_of([&] { beam_search(Decoder(config), make_features(1, DType::f32), options); }),
             Contains("needs attention"));
}
