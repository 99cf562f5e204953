#include <algorithm>

#include "glimpse/data/internal/metric.h"

namespace glimpse {
namespace {

std::int64_t longest_common_subsequence(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b) {
  std::vector<std::int64_t> row(b.size() + 1, 0);  // row[j]: of the part of a seen so far and the first j words of b
  for (const std::int32_t word : a) {
    std::int64_t diagonal = 0;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::int64_t above = row[j];
      row[j] = word == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return row.back();
}

double rouge_l_of(const CountedImage& image) {
  // coco-caption splits "" into one empty word.
  const auto words_of = [](const CountedCaption& caption) {
    return caption.words.empty() ? std::vector<std::int32_t>{-1} : caption.words;
  };
  const std::vector<std::int32_t> hypothesis = words_of(image.hypothesis);
  double precision = 0, recall = 0;
  for (const CountedCaption& caption : image.references) {
    const std::vector<std::int32_t> reference = words_of(caption);
    const auto common = static_cast<double>(longest_common_subsequence(reference, hypothesis));
    precision = std::max(precision, common / static_cast<double>(hypothesis.size()));
    recall = std::max(recall, common / static_cast<double>(reference.size()));
  }
  if (precision == 0 || recall == 0) return 0;
  constexpr double beta2 = 1.2 * 1.2;
  return (1 + beta2) * precision * recall / (recall + beta2 * precision);
}

}  // namespace

MetricValues rouge_l(const ScoredSet& set) { return mean_over_images(set, rouge_l_of); }

}  // namespace glimpse
