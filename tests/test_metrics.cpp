// BLEU, ROUGE-L and CIDEr-D against coco-caption's own code (golden/make_metric_goldens.py), and by hand where it
// stops.

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

std::array<double, 6> numbers(const std::array<double, 4>& bleu, double rouge_l, double cider_d) {
  return {bleu[0], bleu[1], bleu[2], bleu[3], rouge_l, cider_d};
}

double distance(const std::array<double, 6>& got, const nlohmann::json& expected) {
  double largest = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    const double difference = std::abs(got[i] - expected.at(i).get<double>());
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
    CHECK(distance(numbers(scores.bleu, scores.rouge_l, scores.cider_d), corpora[c].at("corpus")) < 1e-9);
    REQUIRE(scores.images == static_cast<std::int64_t>(hypotheses.size()));
    REQUIRE(scores.per_image.size() == hypotheses.size());
    for (std::size_t i = 0; i < hypotheses.size(); ++i) {
      const ImageScores& one = scores.per_image[i];
      CHECK(distance(numbers(one.bleu, one.rouge_l, one.cider_d), corpora[c].at("each").at(i)) < 1e-9);
    }
    images += hypotheses.size();
  }
  CHECK(images >= 1000);
}

TEST_CASE("scores where coco-caption stops or says little", "[metrics]") {
  SECTION("every reference is empty") {
    const Scores scores = score_captions({words_of("a b"), {}}, {{{}}, {{}}});
    CHECK(scores.cider_d == 0);
    CHECK(scores.rouge_l == 0.5);
    CHECK(scores.bleu[0] < 1e-9);
  }
  SECTION("bad input is named") {
    CHECK_THROWS_WITH(score_captions({}, {}), "score_captions: no captions to score");
    CHECK_THROWS_WITH(score_captions({{"a"}}, {}), "score_captions: 1 captions, but references of 0 images");
    CHECK_THROWS_WITH(score_captions({{"a"}, {"b"}}, {{{"a"}}, {}}),
                      "score_captions: caption 1 has no reference; at least 1 is needed");
  }
}

TEST_CASE("caption statistics", "[metrics]") {
  const CaptionStatistics statistics =
      caption_statistics({words_of("a dog <unk>"), words_of("a dog <unk>"), words_of("<unk> <unk>"), {}});
  CHECK(statistics.distinct == 0.75);
  CHECK(statistics.unknown == 0.5);
  CHECK(statistics.mean_length == 2.0);
  CHECK(statistics.empty == 1);
  CHECK(caption_statistics({}).distinct == 0);
  CHECK(caption_statistics({{}}).unknown == 0);
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
