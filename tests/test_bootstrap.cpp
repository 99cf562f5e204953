// Intervals and comparisons by resampled images, and statistics of captions.

#include <cmath>

#include "catch.h"
#include "glimpse/data/bootstrap.h"
#include "glimpse/data/caption_statistics.h"
#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;

namespace {

/// A caption of made-up words, of which `wrong` in ten are not the reference's.
struct Set {
  std::vector<CaptionWords> captions;
  std::vector<std::vector<CaptionWords>> references;
};

Set make_set(std::size_t images, std::uint64_t wrong, std::uint64_t seed) {
  Generator words(7), errors(seed);
  Set set;
  for (std::size_t i = 0; i < images; ++i) {
    CaptionWords reference(5 + words.below(6));
    for (std::string& word : reference) word = std::to_string(words.below(40));
    CaptionWords caption = reference;
    for (std::string& word : caption)
      if (errors.below(10) < wrong) word = "x" + std::to_string(errors.below(40));
    set.captions.push_back(caption);
    set.references.push_back({reference});
  }
  return set;
}

Scores scored(const Set& set) { return score_captions(set.captions, set.references); }

std::size_t index_of(const Scores& scores, const std::string& name) {
  for (std::size_t k = 0; k < scores.all.size(); ++k)
    if (scores.all[k].name == name) return k;
  return scores.all.size();
}

}  // namespace

TEST_CASE("the interval of a mean is that of the normal distribution") {
  const Scores scores = scored(make_set(400, 3, 1));
  const std::vector<Interval> intervals = bootstrap_intervals(scores, {.samples = 4000});
  for (const char* name : {"rouge_l", "cider"}) {
    const std::size_t k = index_of(scores, name);
    double variance = 0;
    for (const auto& image : scores.per_image) variance += std::pow(image[k] - scores.all[k].value, 2) / 400;
    const double half = 1.96 * std::sqrt(variance / 400);
    INFO(name);
    CHECK(intervals[k].low == Approx(scores.all[k].value - half).margin(0.08 * half));
    CHECK(intervals[k].high == Approx(scores.all[k].value + half).margin(0.08 * half));
  }
}

TEST_CASE("a sample of BLEU is BLEU of the sample") {
  // Every sample of equal images is the set itself, in counts as in means.
  Set set = make_set(1, 4, 3);
  for (int i = 0; i < 30; ++i) {
    set.captions.push_back(set.captions[0]);
    set.references.push_back(set.references[0]);
  }
  const Scores scores = scored(set);
  const std::vector<Interval> intervals = bootstrap_intervals(scores);
  for (std::size_t k = 0; k < scores.all.size(); ++k) {
    INFO(scores.all[k].name);
    CHECK(intervals[k].low == Approx(scores.all[k].value).epsilon(1e-12).margin(1e-12));
    CHECK(intervals[k].high == Approx(scores.all[k].value).epsilon(1e-12).margin(1e-12));
  }
  // Counts are summed before they are divided: of one image without and one with all bigrams, samples lie at three
  // places, and a mean of BLEU-2 per image would put the middle one elsewhere.
  const Scores two = score_captions({{"a", "b", "c"}, {"a", "x"}}, {{{"a", "b", "c"}}, {{"a", "b"}}});
  const Interval all = bootstrap_intervals(two, {.samples = 200, .level = 0.999})[index_of(two, "bleu2")];
  CHECK(all.high == Approx(1).margin(1e-6));
  CHECK(all.low < 1e-3);
  CHECK(two["bleu2"] == Approx(std::sqrt(4.0 / 5 * 2 / 3)).margin(1e-6));
}

TEST_CASE("intervals repeat with the seed, and shrink with the number of images") {
  const Scores small = scored(make_set(40, 3, 1)), large = scored(make_set(1000, 3, 1));
  const std::size_t cider = index_of(small, "cider");
  const auto width = [&](const Scores& scores, const BootstrapOptions& options) {
    const Interval interval = bootstrap_intervals(scores, options)[cider];
    return interval.high - interval.low;
  };
  CHECK(width(small, {}) == width(small, {}));
  CHECK(width(small, {}) != width(small, {.seed = 2}));
  CHECK(width(small, {}) > 3 * width(large, {.samples = 200}));
  CHECK(width(small, {.level = 0.5}) < width(small, {}));
}

TEST_CASE("the better system is found, and equal ones are no better than each other") {
  const Scores good = scored(make_set(200, 2, 1)), bad = scored(make_set(200, 4, 2));
  const std::vector<ScoreDifference> differences = compare_scores(good, bad);
  REQUIRE(differences.size() == score_names().size());
  for (const ScoreDifference& difference : differences) {
    INFO(difference.score.name);
    CHECK(difference.score.value == Approx(good[difference.score.name] - bad[difference.score.name]));
    CHECK(difference.interval.low > 0);
    CHECK(difference.wins > 0.99);
    CHECK(difference.winner() == 1);
  }
  CHECK_THAT(verdict(differences, "cider", "one.json", "two.json"),
             Contains("one.json is better than two.json by CIDEr-D"));
  CHECK_THAT(verdict(compare_scores(bad, good), "cider", "one.json", "two.json"),
             Contains("two.json is better than one.json by CIDEr-D: it wins 100.0 %"));
  for (const ScoreDifference& difference : compare_scores(good, good)) {
    CHECK(difference.wins == 0.5);
    CHECK(difference.winner() == 0);
  }
  CHECK_THAT(verdict(compare_scores(good, good), "bleu4", "one.json", "two.json"),
             Contains("neither is better by BLEU-4") && Contains("one.json wins 50.0 %"));
}

TEST_CASE("a comparison is paired: the same images for both") {
  // B is worse by a word on some images, whose scores differ much more: the pairs show it, the intervals do not.
  Set a = make_set(60, 4, 1), b = a;
  for (std::size_t i = 0; i < a.captions.size(); i += 6) {
    a.captions[i].back() = a.references[i][0].back();
    b.captions[i].back() = "wrong";
  }
  const Scores of_a = scored(a), of_b = scored(b);
  const std::size_t bleu = index_of(of_a, "bleu1");
  CHECK(bootstrap_intervals(of_a)[bleu].low < bootstrap_intervals(of_b)[bleu].high);
  CHECK(compare_scores(of_a, of_b)[bleu].wins == 1);
}

TEST_CASE("what is left of BLEU without a match decides nothing") {
  const std::vector<std::vector<CaptionWords>> references(20, {{"a", "b", "c", "d", "e"}});
  const Scores one = score_captions(std::vector<CaptionWords>(20, {"a", "b", "c", "x", "y"}), references);
  const Scores other = score_captions(std::vector<CaptionWords>(20, {"a", "b", "x", "y", "z"}), references);
  const ScoreDifference bleu4 = compare_scores(one, other)[index_of(one, "bleu4")];
  CHECK(bleu4.score.value > 0);
  CHECK(bleu4.wins == 0.5);
  CHECK(bleu4.winner() == 0);
}

TEST_CASE("bootstrap refuses senseless input") {
  const Scores one = scored(make_set(3, 2, 1)), other = scored(make_set(4, 2, 1));
  CHECK_THROWS_WITH(compare_scores(one, other), "bootstrap: A was scored on 3 images, B on 4");
  CHECK_THROWS_AS(bootstrap_intervals(one, {.samples = 1}), Error);
  CHECK_THROWS_AS(bootstrap_intervals(one, {.level = 1}), Error);
  CHECK_THROWS_AS(bootstrap_intervals(Scores{}), Error);
  CHECK_THROWS_AS(verdict({}, "cider", "a", "b"), Error);
}

TEST_CASE("statistics of captions") {
  const std::vector<CaptionWords> captions = {{"a", "dog", "<unk>"}, {"a", "dog", "<unk>"}, {"on", "the"}, {}};
  const CaptionStatistics statistics = caption_statistics(captions, {{"on", "the"}, {"a", "dog"}});
  CHECK(statistics.distinct == 0.75);
  CHECK(statistics.novel == 0.75);
  CHECK(statistics.unknown == 0.25);
  CHECK(statistics.words == 4);
  CHECK(statistics.bad_endings == 0.25);
  CHECK(statistics.mean_length == 2.0);
  CHECK(statistics.shortest == 0);
  CHECK(statistics.longest == 3);
  CHECK(statistics.empty == 1);
  CHECK_FALSE(caption_statistics(captions).novel);
  CHECK(caption_statistics({}).distinct == 0);
  CHECK(caption_statistics({{}}).unknown == 0);
}

TEST_CASE("articles, prepositions and conjunctions are bad endings") {
  for (const char* word : {"a", "an", "the", "of", "with", "and", "while", "their", "upon", "towards", "at"})
    CHECK(is_bad_ending(word));
  for (const char* word : {"dog", "on", "by", "in", "around", "him", "", "wit", "withs"})
    CHECK_FALSE(is_bad_ending(word));
}
