#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "glimpse/data/internal/metric.h"

namespace glimpse {
namespace {

struct BleuCounts {
  std::array<std::int64_t, max_ngram> matched{}, guessed{};
  std::int64_t length = 0, reference_length = 0;

  BleuCounts& operator+=(const BleuCounts& other) {
    for (int k = 0; k < max_ngram; ++k) {
      matched[k] += other.matched[k];
      guessed[k] += other.guessed[k];
    }
    length += other.length;
    reference_length += other.reference_length;
    return *this;
  }
};

std::array<double, max_ngram> bleu_of(const BleuCounts& counts) {
  constexpr double tiny = 1e-15, small = 1e-9;  // coco-caption's: an order without matches gives almost 0, never 0/0
  std::array<double, max_ngram> bleu;
  double product = 1;
  for (int k = 0; k < max_ngram; ++k) {
    product *= (static_cast<double>(counts.matched[k]) + tiny) / (static_cast<double>(counts.guessed[k]) + small);
    bleu[k] = std::pow(product, 1.0 / (k + 1));
  }
  const double ratio =
      (static_cast<double>(counts.length) + tiny) / (static_cast<double>(counts.reference_length) + small);
  if (ratio < 1)
    for (double& value : bleu) value *= std::exp(1 - 1 / ratio);
  return bleu;
}

std::vector<double> sums_of(const BleuCounts& counts) {
  std::vector<double> sums(counts.matched.begin(), counts.matched.end());
  sums.insert(sums.end(), counts.guessed.begin(), counts.guessed.end());
  sums.push_back(static_cast<double>(counts.length));
  sums.push_back(static_cast<double>(counts.reference_length));
  return sums;
}

/// `limits`: one zero per n-gram id; zero again on return.
BleuCounts count_matches(const CountedImage& image, std::vector<std::int32_t>& limits) {
  BleuCounts counts;
  counts.length = static_cast<std::int64_t>(image.hypothesis.words.size());
  for (int k = 0; k < max_ngram; ++k) {
    counts.guessed[k] = std::max<std::int64_t>(0, counts.length - k);
    for (const CountedCaption& reference : image.references)
      for (const NgramCount& ngram : reference.ngrams[k]) limits[ngram.id] = std::max(limits[ngram.id], ngram.count);
    for (const NgramCount& ngram : image.hypothesis.ngrams[k])
      counts.matched[k] += std::min(ngram.count, limits[ngram.id]);
    for (const CountedCaption& reference : image.references)
      for (const NgramCount& ngram : reference.ngrams[k]) limits[ngram.id] = 0;
  }
  std::pair<std::int64_t, std::int64_t> closest{-1, 0};  // (distance, length): of equal distances the shorter
  for (const CountedCaption& reference : image.references) {
    const auto length = static_cast<std::int64_t>(reference.words.size());
    const std::pair candidate{std::abs(length - counts.length), length};
    if (closest.first < 0 || candidate < closest) closest = candidate;
  }
  counts.reference_length = closest.second;
  return counts;
}

template <class Bleu>
std::vector<double> listed(const Bleu& values) {
  return {values.begin(), values.end()};
}

}  // namespace

MetricValues bleu(const ScoredSet& set) {
  std::vector<std::int32_t> limits(set.ngrams, 0);
  MetricValues values;
  BleuCounts total;
  for (const CountedImage& image : set.images) {
    const BleuCounts counts = count_matches(image, limits);
    total += counts;
    values.images.push_back(listed(bleu_of(counts)));
    values.sums.push_back(sums_of(counts));
  }
  values.set = listed(bleu_of(total));
  return values;
}

std::vector<double> bleu_of_sums(std::span<const double> sums) {
  const auto count = [&](std::size_t i) { return static_cast<std::int64_t>(sums[i]); };
  BleuCounts total;
  for (std::size_t k = 0; k < max_ngram; ++k) {
    total.matched[k] = count(k);
    total.guessed[k] = count(max_ngram + k);
  }
  total.length = count(2 * max_ngram);
  total.reference_length = count(2 * max_ngram + 1);
  return listed(bleu_of(total));
}

}  // namespace glimpse
