#include "glimpse/data/metrics.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "glimpse/data/internal/metric.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// All metrics, in the order in which they are shown. A new one is an entry here and its function.
const std::vector<Metric>& metrics() {
  static const std::vector<Metric> list = {
      {.key = "bleu",
       .names = {{"bleu1", "BLEU-1"}, {"bleu2", "BLEU-2"}, {"bleu3", "BLEU-3"}, {"bleu4", "BLEU-4"}},
       .compute = bleu,
       .of_sums = bleu_of_sums,
       .sums = bleu_sums,
       .scale = 100,
       .digits = 1},
      {.key = "meteor", .names = {{"meteor", "METEOR"}}, .compute = meteor},
      {.key = "rouge_l", .names = {{"rouge_l", "ROUGE-L"}}, .compute = rouge_l},
      {.key = "cider_d", .names = {{"cider", "CIDEr-D"}}, .compute = cider_d},
  };
  return list;
}

/// How the values of all metrics are called, without values.
const std::vector<Score>& blank_scores() {
  static const std::vector<Score> list = [] {
    std::vector<Score> all;
    for (const Metric& metric : metrics())
      for (const MetricName& name : metric.names)
        all.push_back({name.name, name.label, metric.key, 0, metric.scale, metric.digits, metric.higher_is_better,
                       &name == &metric.names.back(), ""});
    return all;
  }();
  return list;
}

std::size_t index_of(std::string_view name) {
  const std::vector<Score>& all = blank_scores();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Score& score) { return score.name == name; });
  check(found != all.end(), "no score '{}'; there are {}", name, fmt::join(score_names(), ", "));
  return static_cast<std::size_t>(found - all.begin());
}

ScoredSet counted(const std::vector<CaptionWords>& hypotheses,
                  const std::vector<std::vector<CaptionWords>>& references) {
  check(hypotheses.size() == references.size(), "score_captions: {} captions, but references of {} images",
        hypotheses.size(), references.size());
  check(!hypotheses.empty(), "score_captions: no captions to score");
  NgramTable table;
  ScoredSet set;
  set.images.resize(hypotheses.size());
  for (std::size_t i = 0; i < set.images.size(); ++i) {
    check(!references[i].empty(), "score_captions: caption {} has no reference; at least 1 is needed", i);
    set.images[i].hypothesis = table.count(hypotheses[i]);
    for (const CaptionWords& reference : references[i]) set.images[i].references.push_back(table.count(reference));
  }
  set.ngrams = table.size();
  set.words = table.words();
  return set;
}

}  // namespace

std::string Score::text() const { return fmt::format("{:.{}f}", scale * value, digits); }

std::vector<std::string> score_names() {
  std::vector<std::string> names;
  for (const Score& score : blank_scores()) names.push_back(score.name);
  return names;
}

const Score& score_named(std::string_view name) { return blank_scores()[index_of(name)]; }

double Scores::operator[](std::string_view name) const { return all.at(index_of(name)).value; }

double Scores::of_image(std::size_t image, std::string_view name) const {
  return per_image.at(image).at(index_of(name));
}

std::string Scores::json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const Score& score : all) {
    const bool alone = score.of_metric && !json.contains(score.metric);
    if (alone)
      json[score.metric] = score.value;
    else
      json[score.metric].push_back(score.value);
  }
  return json.dump();
}

std::vector<std::size_t> Scores::ranked(std::string_view name, bool best_first) const {
  const std::size_t score = index_of(name);
  const bool falling = best_first == blank_scores()[score].higher_is_better;
  std::vector<std::size_t> order(per_image.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return falling ? per_image[a][score] > per_image[b][score] : per_image[a][score] < per_image[b][score];
  });
  return order;
}

Scores score_captions(const std::vector<CaptionWords>& hypotheses,
                      const std::vector<std::vector<CaptionWords>>& references) {
  const ScoredSet set = counted(hypotheses, references);
  Scores scores;
  scores.all = blank_scores();
  scores.images = std::ssize(set.images);
  scores.per_image.resize(set.images.size());
  scores.sums.resize(set.images.size());
  auto next = scores.all.begin();
  for (const Metric& metric : metrics()) {
    const MetricValues values = metric.compute(set);
    for (const double value : values.set) {
      next->value = value;
      (next++)->note = values.note;
    }
    for (std::size_t i = 0; i < set.images.size(); ++i) {
      scores.per_image[i].insert(scores.per_image[i].end(), values.images[i].begin(), values.images[i].end());
      const std::vector<double>& sums = metric.of_sums ? values.sums[i] : values.images[i];
      scores.sums[i].insert(scores.sums[i].end(), sums.begin(), sums.end());
    }
  }
  return scores;
}

std::vector<double> values_of_sums(std::span<const double> sums, double images) {
  std::vector<double> values;
  for (const Metric& metric : metrics()) {
    const std::size_t count = metric.of_sums ? metric.sums : metric.names.size();
    if (metric.of_sums) {
      const std::vector<double> of_set = metric.of_sums(sums.first(count));
      values.insert(values.end(), of_set.begin(), of_set.end());
    } else {
      for (const double sum : sums.first(count)) values.push_back(sum / images);
    }
    sums = sums.subspan(count);
  }
  return values;
}

}  // namespace glimpse
