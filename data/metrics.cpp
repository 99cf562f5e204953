#include "glimpse/data/metrics.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "glimpse/data/ngram.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

struct CountedImage {
  CountedCaption hypothesis;
  std::vector<CountedCaption> references;
};

// ---------------------------------------------------------------------------------------------------------- BLEU

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

std::array<double, 4> bleu_of(const BleuCounts& counts) {
  constexpr double tiny = 1e-15, small = 1e-9;  // coco-caption's: an order without matches gives almost 0, never 0/0
  std::array<double, 4> bleu;
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

// `limits`: one zero per n-gram id; zero again on return.
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

// -------------------------------------------------------------------------------------------------------- ROUGE-L

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

// -------------------------------------------------------------------------------------------------------- CIDEr-D

// By n-gram id: log(images) - log(max(1, images whose references hold the n-gram)).
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

// `weights`: one zero per n-gram id; zero again on return.
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

Scores score_captions(const std::vector<CaptionWords>& hypotheses,
                      const std::vector<std::vector<CaptionWords>>& references) {
  check(hypotheses.size() == references.size(), "score_captions: {} captions, but references of {} images",
        hypotheses.size(), references.size());
  check(!hypotheses.empty(), "score_captions: no captions to score");

  NgramTable table;
  std::vector<CountedImage> images(hypotheses.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    check(!references[i].empty(), "score_captions: caption {} has no reference; at least 1 is needed", i);
    images[i].hypothesis = table.count(hypotheses[i]);
    for (const CaptionWords& reference : references[i]) images[i].references.push_back(table.count(reference));
  }

  const std::vector<double> idf = inverse_document_frequencies(images, table.size());
  std::vector<std::int32_t> limits(table.size(), 0);
  std::vector<double> weights(table.size(), 0);
  BleuCounts total;
  Scores scores;
  scores.images = static_cast<std::int64_t>(images.size());
  for (const CountedImage& image : images) {
    const BleuCounts counts = count_matches(image, limits);
    total += counts;
    const ImageScores& one =
        scores.per_image.emplace_back(ImageScores{bleu_of(counts), rouge_l_of(image), cider_d_of(image, idf, weights)});
    scores.rouge_l += one.rouge_l;
    scores.cider_d += one.cider_d;
  }
  scores.bleu = bleu_of(total);
  scores.rouge_l /= static_cast<double>(images.size());
  scores.cider_d /= static_cast<double>(images.size());
  return scores;
}

CaptionStatistics caption_statistics(const std::vector<CaptionWords>& captions) {
  CaptionStatistics statistics;
  if (captions.empty()) return statistics;
  std::int64_t words = 0, unknown = 0;
  for (const CaptionWords& caption : captions) {
    words += static_cast<std::int64_t>(caption.size());
    unknown += std::count(caption.begin(), caption.end(), "<unk>");
    statistics.empty += caption.empty();
  }
  const auto count = static_cast<double>(captions.size());
  statistics.distinct = static_cast<double>(std::set<CaptionWords>(captions.begin(), captions.end()).size()) / count;
  statistics.unknown = words == 0 ? 0 : static_cast<double>(unknown) / static_cast<double>(words);
  statistics.mean_length = static_cast<double>(words) / count;
  return statistics;
}

}  // namespace glimpse
