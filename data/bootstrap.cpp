#include "glimpse/data/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "glimpse/data/internal/metric.h"
#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

void check_options(const Scores& scores, const BootstrapOptions& options) {
  check(scores.images > 0, "bootstrap: no images were scored");
  check(options.samples >= 2, "bootstrap: {} samples, at least 2 are needed", options.samples);
  check(options.level > 0 && options.level < 1, "bootstrap: a level of {} is outside (0,1)", options.level);
}

/// Differences below count as none: where nothing matches, coco-caption's constants leave BLEU a little above 0.
constexpr double smallest_difference = 1e-4;

/// One draw of as many images as there are, as how often each was drawn.
std::vector<double> draw(std::size_t images, Generator& generator) {
  std::vector<double> times(images, 0);
  for (std::size_t i = 0; i < images; ++i) ++times[generator.below(images)];
  return times;
}

/// The values of all scores where image i counts times[i].
std::vector<double> values_of(const Scores& scores, const std::vector<double>& times) {
  std::vector<double> sums(scores.sums.front().size(), 0);
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (times[i] == 0) continue;
    for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += times[i] * scores.sums[i][k];
  }
  return values_of_sums(sums, static_cast<double>(times.size()));
}

/// The share `level` of the values in the middle; between two values the line that joins them.
Interval middle(std::vector<double> values, double level) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (place - std::floor(place)) * (values[above] - values[below]);
  };
  return {at((1 - level) / 2), at((1 + level) / 2)};
}

}  // namespace

std::vector<Interval> bootstrap_intervals(const Scores& scores, const BootstrapOptions& options) {
  check_options(scores, options);
  Generator generator(options.seed);
  std::vector<std::vector<double>> samples(scores.all.size());
  for (int s = 0; s < options.samples; ++s) {
    const std::vector<double> values = values_of(scores, draw(scores.sums.size(), generator));
    for (std::size_t k = 0; k < values.size(); ++k) samples[k].push_back(values[k]);
  }
  std::vector<Interval> intervals;
  for (std::vector<double>& values : samples) intervals.push_back(middle(std::move(values), options.level));
  return intervals;
}

int ScoreDifference::winner() const {
  if (interval.low <= 0 && interval.high >= 0) return 0;
  return (interval.low > 0) == score.higher_is_better ? 1 : -1;
}

std::vector<ScoreDifference> compare_scores(const Scores& a, const Scores& b, const BootstrapOptions& options) {
  check_options(a, options);
  check(a.images == b.images, "bootstrap: A was scored on {} images, B on {}", a.images, b.images);
  Generator generator(options.seed);
  std::vector<ScoreDifference> differences;
  for (std::size_t k = 0; k < a.all.size(); ++k) {
    differences.push_back({.score = a.all[k], .interval = {}, .level = options.level});
    differences.back().score.value -= b.all[k].value;
  }
  std::vector<std::vector<double>> samples(differences.size());
  for (int s = 0; s < options.samples; ++s) {
    const std::vector<double> times = draw(a.sums.size(), generator);
    const std::vector<double> of_a = values_of(a, times), of_b = values_of(b, times);
    for (std::size_t k = 0; k < samples.size(); ++k) {
      const double difference = std::abs(of_a[k] - of_b[k]) < smallest_difference ? 0 : of_a[k] - of_b[k];
      samples[k].push_back(difference);
      const bool better = (difference > 0) == differences[k].score.higher_is_better;
      differences[k].wins += difference == 0 ? 0.5 : better ? 1 : 0;
    }
  }
  for (std::size_t k = 0; k < samples.size(); ++k) {
    differences[k].interval = middle(std::move(samples[k]), options.level);
    differences[k].wins /= options.samples;
  }
  return differences;
}

std::string verdict(const std::vector<ScoreDifference>& differences, std::string_view name, const std::string& a,
                    const std::string& b) {
  const auto found = std::find_if(differences.begin(), differences.end(),
                                  [&](const ScoreDifference& difference) { return difference.score.name == name; });
  check(found != differences.end(), "verdict: no score '{}'", name);
  const double level = 100 * found->level;
  if (found->winner() == 0)
    return fmt::format("neither is better by {}, as far as these images tell: {} wins {:.1f} % of the samples",
                       found->score.label, a, 100 * found->wins);
  const bool first = found->winner() > 0;
  return fmt::format(
      "{} is better than {} by {}: it wins {:.1f} % of the samples, and the {:g} % interval of the "
      "difference leaves 0 out",
      first ? a : b, first ? b : a, found->score.label, 100 * (first ? found->wins : 1 - found->wins), level);
}

}  // namespace glimpse
