// BLEU, ROUGE-L and CIDEr-D against coco-caption's own code (golden/make_metric_goldens.py), and by hand where it
// stops.

#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "catch.h"
#include "glimpse/data/metrics.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;

namespace {

CaptionWords words_of(const std::string& text) {
  std::istringstream stream(text);
  CaptionWords words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// The scores that the golden file holds, in its order.
const std::array<const char*, 6> golden_scores = {"bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider"};

/// The largest distance of value(name) from the golden numbers.
template <class Value>
double distance(Value value, const nlohmann::json& expected) {
  double largest = 0;
  for (std::size_t i = 0; i < golden_scores.size(); ++i) {
    const double difference = std::abs(value(golden_scores[i]) - expected.at(i).get<double>());
    largest = difference <= largest ? largest : difference;  // a NaN stays
  }
  return largest;
}

}  // namespace

TEST_CASE("scores equal coco-caption's", "[metrics]") {
  std::ifstream file(GLIMPSE_TEST_DATA "/metrics.json");
  REQUIRE(file);
  const nlohmann::json corpora = nlohmann::json::parse(file);
  std::size_t images = 0;
  for (std::size_t c = 0; c < corpora.size(); ++c) {
    std::vector<CaptionWords> hypotheses;
    std::vector<std::vector<CaptionWords>> references;
    for (const auto& image : corpora[c].at("images")) {
      hypotheses.push_back(words_of(image.at(0)));
      references.emplace_back();
      for (const auto& reference : image.at(1)) references.back().push_back(words_of(reference));
    }
    const Scores scores = score_captions(hypotheses, references);
    INFO("corpus " << c << ": " << corpora[c].at("images").dump());
    CHECK(distance([&](const char* name) { return scores[name]; }, corpora[c].at("corpus")) < 1e-9);
    REQUIRE(scores.images == static_cast<std::int64_t>(hypotheses.size()));
    REQUIRE(scores.per_image.size() == hypotheses.size());
    for (std::size_t i = 0; i < hypotheses.size(); ++i)
      CHECK(distance([&](const char* name) { return scores.of_image(i, name); }, corpora[c].at("each").at(i)) < 1e-9);
    images += hypotheses.size();
  }
  CHECK(images >= 1000);
}

TEST_CASE("scores where coco-caption stops or says little", "[metrics]") {
  SECTION("every reference is empty") {
    const Scores scores = score_captions({words_of("a b"), {}}, {{{}}, {{}}});
    CHECK(scores["cider"] == 0);
    CHECK(scores["rouge_l"] == 0.5);
    CHECK(scores["bleu1"] < 1e-9);
  }
  SECTION("bad input is named") {
    CHECK_THROWS_WITH(score_captions({}, {}), "score_captions: no captions to score");
    CHECK_THROWS_WITH(score_captions({{"a"}}, {}), "score_captions: 1 captions, but references of 0 images");
    CHECK_THROWS_WITH(score_captions({{"a"}, {"b"}}, {{{"a"}}, {}}),
                      "score_captions: caption 1 has no reference; at least 1 is needed");
  }
}

TEST_CASE("scores are named, printed and written by one list", "[metrics]") {
  const Scores scores = score_captions({words_of("a dog runs"), words_of("a cat")},
                                       {{words_of("a dog runs")}, {words_of("the cat sleeps")}});
  REQUIRE(scores.all.size() == score_names().size());
  const nlohmann::json json = nlohmann::json::parse(scores.json());
  CHECK(json.at("bleu").size() == 4);
  CHECK(json.at("bleu").at(1).get<double>() == scores["bleu2"]);
  CHECK(json.at("meteor").get<double>() == scores["meteor"]);
  CHECK(json.at("rouge_l").get<double>() == scores["rouge_l"]);
  CHECK(json.at("cider_d").get<double>() == scores["cider"]);
  CHECK(score_named("bleu4").label == "BLEU-4");
  CHECK(score_named("bleu4").higher_is_better);
  Score score = score_named("bleu4");
  score.value = 0.2118;
  CHECK(score.text() == "21.2");
  CHECK_THROWS_WITH(scores["blue4"], "no score 'blue4'; there are bleu1, bleu2, bleu3, bleu4, meteor, rouge_l, cider");
}

TEST_CASE("images are ranked by a score", "[metrics]") {
  Scores scores;
  for (const double value : {1.0, 3.0, 0.0, 3.0, 0.0}) scores.per_image.push_back({0, 0, 0, 0, 0, 0, value});
  CHECK(scores.ranked("cider", true) == std::vector<std::size_t>{1, 3, 0, 2, 4});
  CHECK(scores.ranked("cider", false) == std::vector<std::size_t>{2, 4, 0, 1, 3});
}

TEST_CASE("a thousand images are scored while nobody waits", "[metrics]") {
  std::mt19937 random(1);
  const auto sentence = [&] {
    CaptionWords words(8 + random() % 6);
    for (std::string& word : words) {
      const double u = static_cast<double>(random()) / 4294967296.0;
      word = std::to_string(static_cast<int>(std::pow(2500.0, u)));  // frequent words are frequent
    }
    return words;
  };
  std::vector<CaptionWords> hypotheses(1000);
  std::vector<std::vector<CaptionWords>> references(1000, std::vector<CaptionWords>(5));
  for (CaptionWords& words : hypotheses) words = sentence();
  for (auto& of_image : references)
    for (CaptionWords& words : of_image) words = sentence();
  const auto begin = std::chrono::steady_clock::now();
  const Scores scores = score_captions(hypotheses, references);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  UNSCOPED_INFO("took " << seconds << " s");
  CHECK(scores.images == 1000);
  CHECK(seconds < 2);  // 0.03 s in a release build; debug builds and busy machines take longer
}
