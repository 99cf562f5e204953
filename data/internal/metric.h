#pragma once
// A metric: what it is called and how it is computed. data/metrics.cpp has the list of all.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glimpse/data/internal/ngram.h"
#include "glimpse/data/metrics.h"

namespace glimpse {

/// A caption and its references, as n-grams.
struct CountedImage {
  CountedCaption hypothesis;
  std::vector<CountedCaption> references;
};

/// A set of captions to score; at least one image, each with a reference.
struct ScoredSet {
  std::vector<CountedImage> images;
  std::size_t ngrams = 0;               ///< ids of n-grams lie in [0, ngrams)
  std::vector<std::string_view> words;  ///< by id; empty for longer n-grams
};

/// What a metric says of a set and of each of its images; as many values as the metric has names.
struct MetricValues {
  std::vector<double> set;
  std::vector<std::vector<double>> images;
  std::vector<std::vector<double>> sums = {};  ///< what each image adds to what Metric::of_sums takes, if there is one
  std::string note = {};                       ///< for people: how it was computed, where that depends on the machine
};

/// How one value of a metric is called: in files ("bleu4") and for people ("BLEU-4").
struct MetricName {
  const char* name;
  const char* label;
};

struct Metric {
  const char* key;                ///< in JSON; a list there when there are several values
  std::vector<MetricName> names;  ///< one for each value; the last one stands for the metric in charts
  MetricValues (*compute)(const ScoredSet& set);
  std::vector<double> (*of_sums)(std::span<const double> sums) = nullptr;  ///< null: the mean over the images
  std::size_t sums = 0;                                                    ///< how many it takes
  double scale = 1;                                                        ///< people read scale * value,
  int digits = 3;                                                          ///< with so many decimals
  bool higher_is_better = true;
};

/// The values of a metric that is the mean over the images of of_image(image).
template <class F>
MetricValues mean_over_images(const ScoredSet& set, F of_image) {
  MetricValues values{{0.0}, {}};
  for (const CountedImage& image : set.images) {
    values.images.push_back({of_image(image)});
    values.set[0] += values.images.back()[0];
  }
  values.set[0] /= static_cast<double>(set.images.size());
  return values;
}

/// BLEU-1 to BLEU-4 (Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation", eq. of
/// section 2.3): geometric mean over k = 1..n of (matched k-grams + 1e-15) / (k-grams + 1e-9), where an n-gram matches
/// at most as often as it occurs in the one reference that has most of it; times exp(1 - r/c) where c < r. The
/// reference length r sums, per image, the length closest to the caption's; of two equally close, the shorter. For a
/// set, counts are summed before they are divided.
MetricValues bleu(const ScoredSet& set);
/// The same from counts: matched and all n-grams for k = 1..4, words, words of the references.
std::vector<double> bleu_of_sums(std::span<const double> sums);
constexpr std::size_t bleu_sums = 2 * max_ngram + 2;

/// METEOR as nltk.translate.meteor_score (3.10) computes it, after Lavie and Agarwal 2007, "METEOR: An Automatic Metric
/// for MT Evaluation with High Levels of Correlation with Human Judgments": words are matched by what they are, then by
/// their stems (porter_stemmer.h), then by WordNet's synonyms of the stems, where a WordNet is installed (wordnet.h).
/// With P and R of the matched words, (1 - 0.5 (chunks / matches)^3) P R / (0.9 P + 0.1 R); the best over the
/// references. METEOR 1.5, which coco-caption calls, is another metric with larger values.
MetricValues meteor(const ScoredSet& set);

/// ROUGE-L (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", eq. 2-4): with the longest common
/// subsequence, (1 + b^2) P R / (R + b^2 P), b = 1.2, where P and R are each the best over the references, not
/// necessarily the same one. An empty caption counts as one word that only an empty reference has.
MetricValues rouge_l(const ScoredSet& set);

/// CIDEr-D (Vedantam et al. 2015, "CIDEr: Consensus-based Image Description Evaluation", eq. 1-3 and section 8): 10
/// times the mean over n = 1..4 and over the references of the cosine of tf-idf vectors, clipped to the reference's
/// weights, times exp(-d^2 / (2 * 6^2)). As in coco-caption tf is the plain count, idf is log(images) - log(max(1,
/// images whose references hold the n-gram)), and d is the difference in the number of words (there of
/// bigrams, which is as much). With one image every idf
/// is 0, and so is the score. What coco-caption prints as "CIDEr" is this.
MetricValues cider_d(const ScoredSet& set);

/// The values of all metrics, in their order, from the sums over `images` of what each image adds (Scores::sums).
std::vector<double> values_of_sums(std::span<const double> sums, double images);

}  // namespace glimpse
