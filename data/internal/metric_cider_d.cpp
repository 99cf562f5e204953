#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "glimpse/data/cider_d.h"
#include "glimpse/data/internal/metric.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// By n-gram id: log(images) - log(max(1, images whose references hold the n-gram)).
std::vector<double> inverse_document_frequencies(const std::vector<CountedImage>& images, std::size_t ngrams) {
  std::vector<std::int32_t> documents(ngrams, 0), last_image(ngrams, -1);
  for (std::size_t i = 0; i < images.size(); ++i)
    for (const CountedCaption& reference : images[i].references)
      for (const auto& of_order : reference.ngrams)
        for (const NgramCount& ngram : of_order)
          if (std::exchange(last_image[ngram.id], static_cast<std::int32_t>(i)) != static_cast<std::int32_t>(i))
            ++documents[ngram.id];
  const double log_images = std::log(static_cast<double>(images.size()));
  std::vector<double> idf(ngrams);
  for (std::size_t id = 0; id < ngrams; ++id) idf[id] = log_images - std::log(std::max(1, documents[id]));
  return idf;
}

double norm_of(const std::vector<NgramCount>& ngrams, const std::vector<double>& idf) {
  double sum = 0;
  for (const NgramCount& ngram : ngrams) {
    const double weight = ngram.count * idf[ngram.id];
    sum += weight * weight;
  }
  return std::sqrt(sum);
}

/// `weights`: one zero per n-gram id; zero again on return.
double cider_d_of(const CountedImage& image, const std::vector<double>& idf, std::vector<double>& weights) {
  constexpr double sigma = 6;
  std::array<double, max_ngram> hypothesis_norm, score{};
  for (int k = 0; k < max_ngram; ++k) hypothesis_norm[k] = norm_of(image.hypothesis.ngrams[k], idf);
  for (const CountedCaption& reference : image.references) {
    const double delta =
        static_cast<double>(image.hypothesis.words.size()) - static_cast<double>(reference.words.size());
    const double length_penalty = std::exp(-delta * delta / (2 * sigma * sigma));
    for (int k = 0; k < max_ngram; ++k) {
      for (const NgramCount& ngram : reference.ngrams[k]) weights[ngram.id] = ngram.count * idf[ngram.id];
      double product = 0;
      for (const NgramCount& ngram : image.hypothesis.ngrams[k]) {
        const double other = weights[ngram.id];
        product += std::min(ngram.count * idf[ngram.id], other) * other;
      }
      const double reference_norm = norm_of(reference.ngrams[k], idf);
      if (hypothesis_norm[k] != 0 && reference_norm != 0) product /= hypothesis_norm[k] * reference_norm;
      score[k] += product * length_penalty;
      for (const NgramCount& ngram : reference.ngrams[k]) weights[ngram.id] = 0;
    }
  }
  double mean = 0;
  for (const double value : score) mean += value / max_ngram;
  return 10 * mean / static_cast<double>(image.references.size());
}

}  // namespace

struct CiderD::Counted {
  std::vector<std::vector<CaptionWords>> references;  // whose strings the table refers to
  NgramTable table;
  std::vector<CountedImage> images;  // without hypotheses
  std::size_t known = 0;             // n-grams of references
  std::vector<double> idf, weights;
};

CiderD::CiderD(std::vector<std::vector<CaptionWords>> references) : counted_(std::make_unique<Counted>()) {
  Counted& c = *counted_;
  c.references = std::move(references);
  for (const auto& of_image : c.references) {
    check(!of_image.empty(), "CIDEr-D: image {} has no reference", c.images.size());
    CountedImage& image = c.images.emplace_back();
    for (const CaptionWords& reference : of_image) image.references.push_back(c.table.count(reference));
  }
  c.known = c.table.size();
  c.idf = inverse_document_frequencies(c.images, c.known);
}

CiderD::~CiderD() = default;
CiderD::CiderD(CiderD&&) noexcept = default;
CiderD& CiderD::operator=(CiderD&&) noexcept = default;

double CiderD::operator()(std::size_t image, const CaptionWords& caption) {
  Counted& c = *counted_;
  CountedImage& scored = c.images.at(image);
  scored.hypothesis = c.table.count(caption);
  c.idf.resize(c.table.size(), std::log(static_cast<double>(c.images.size())));  // in no reference
  c.weights.resize(c.table.size(), 0);
  const double score = cider_d_of(scored, c.idf, c.weights);
  c.table.shrink(c.known);
  c.idf.resize(c.known);
  return score;
}

MetricValues cider_d(const ScoredSet& set) {
  const std::vector<double> idf = inverse_document_frequencies(set.images, set.ngrams);
  std::vector<double> weights(set.ngrams, 0);
  return mean_over_images(set, [&](const CountedImage& image) { return cider_d_of(image, idf, weights); });
}

}  // namespace glimpse
