#include "glimpse/models/search/minimum_bayes_risk.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace glimpse {
namespace {

constexpr std::size_t longest = 4;
using Ngram = std::vector<std::int32_t>;

/// How often each n-gram of 1 to 4 words stands in a caption.
struct Counts {
  std::array<std::map<Ngram, double>, longest> ngrams;
  double words = 0;
};

Counts counts_of(const std::vector<std::int32_t>& words) {
  Counts counts;
  counts.words = static_cast<double>(words.size());
  for (std::size_t n = 1; n <= longest; ++n)
    for (std::size_t i = 0; i + n <= words.size(); ++i) {
      const auto begin = words.begin() + static_cast<std::ptrdiff_t>(i);
      ++counts.ngrams[n - 1][Ngram(begin, begin + static_cast<std::ptrdiff_t>(n))];
    }
  return counts;
}

double at(const std::map<Ngram, double>& counts, const Ngram& ngram) {
  const auto found = counts.find(ngram);
  return found == counts.end() ? 0 : found->second;
}

double norm(const std::map<Ngram, double>& counts) {
  double sum = 0;
  for (const auto& [ngram, count] : counts) sum += count * count;
  return std::sqrt(sum);
}

/// CIDEr-D (data/internal/metric.h) with idf 1.
double cider(const Counts& hypothesis, const Counts& reference) {
  constexpr double sigma = 6;
  const double delta = hypothesis.words - reference.words;
  double sum = 0;
  for (std::size_t n = 0; n < longest; ++n) {
    double product = 0;
    for (const auto& [ngram, count] : hypothesis.ngrams[n]) {
      const double other = at(reference.ngrams[n], ngram);
      product += std::min(count, other) * other;
    }
    if (product > 0) sum += product / (norm(hypothesis.ngrams[n]) * norm(reference.ngrams[n]));
  }
  return 10 * sum / longest * std::exp(-delta * delta / (2 * sigma * sigma));
}

/// BLEU-4 of one caption; smoothed as Lin and Och 2004, "ORANGE".
double bleu(const Counts& hypothesis, const Counts& reference) {
  double logs = 0;
  for (std::size_t n = 0; n < longest; ++n) {
    const double more = n == 0 ? 0 : 1;
    double matched = more, all = more;
    for (const auto& [ngram, count] : hypothesis.ngrams[n]) {
      matched += std::min(count, at(reference.ngrams[n], ngram));
      all += count;
    }
    if (matched == 0) return hypothesis.words == 0 && reference.words == 0 ? 1 : 0;
    logs += std::log(matched / all) / longest;
  }
  const double shortness = hypothesis.words < reference.words ? 1 - reference.words / hypothesis.words : 0;
  return std::exp(logs + shortness);
}

}  // namespace

std::vector<double> expected_gains(const std::vector<Caption>& captions, ChooseBy by) {
  std::vector<double> gains;
  if (by == ChooseBy::score || captions.empty()) {
    for (const Caption& caption : captions) gains.push_back(caption.score);
    return gains;
  }
  std::vector<Counts> counts;
  std::vector<double> probability;
  const double most = std::max_element(captions.begin(), captions.end(), [](const Caption& a, const Caption& b) {
                        return a.log_probability < b.log_probability;
                      })->log_probability;
  for (const Caption& caption : captions) {
    counts.push_back(counts_of(caption.words));
    probability.push_back(std::exp(caption.log_probability - most));
  }
  const double total = std::accumulate(probability.begin(), probability.end(), 0.0);
  for (const Counts& hypothesis : counts) {
    double gain = 0;
    for (std::size_t j = 0; j < counts.size(); ++j)
      gain +=
          probability[j] / total * (by == ChooseBy::cider ? cider(hypothesis, counts[j]) : bleu(hypothesis, counts[j]));
    gains.push_back(gain);
  }
  return gains;
}

void choose(std::vector<Caption>& captions, ChooseBy by) {
  if (by == ChooseBy::score) return;
  const std::vector<double> gains = expected_gains(captions, by);
  for (std::size_t i = 0; i < captions.size(); ++i) captions[i].score = gains[i];
  std::stable_sort(captions.begin(), captions.end(),
                   [](const Caption& a, const Caption& b) { return a.score > b.score; });
}

}  // namespace glimpse
