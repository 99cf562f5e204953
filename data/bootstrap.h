#pragma once
// How sure scores are: images are drawn again and again, with replacement, from those that were scored (Koehn 2004,
// "Statistical Significance Tests for Machine Translation Evaluation"). What an image counts stays as it was in the
// whole set; so CIDEr-D keeps the document frequencies of the whole set.

#include <cstdint>
#include <string>
#include <vector>

#include "glimpse/data/metrics.h"

namespace glimpse {

struct BootstrapOptions {
  int samples = 1000;      ///< sets of images that are drawn, each as large as the set
  double level = 0.95;     ///< share of the samples inside an interval
  std::uint64_t seed = 1;  ///< the same seed, the same draws
};

struct Interval {
  double low = 0, high = 0;
};

/// The interval of each score, in the order of Scores::all: the percentiles of the samples. Throws Error for scores of
/// no image, fewer than 2 samples, and a level outside (0,1).
std::vector<Interval> bootstrap_intervals(const Scores& scores, const BootstrapOptions& options = {});

/// Two systems by one score, on the same images.
struct ScoreDifference {
  Score score;          ///< its name and how people read it; its value is the difference A - B
  Interval interval;    ///< of the difference
  double wins = 0;      ///< share of the samples in which A is better; closer than 1e-4 is a draw, half a win
  double level = 0.95;  ///< of the interval

  /// Whether the interval leaves no difference out, and who wins there: 1 for A, -1 for B, 0 for neither.
  int winner() const;
};

/// Compares two systems by the same draws for both (paired bootstrap), score by score. Throws Error where they were not
/// scored on equally many images, and what bootstrap_intervals throws.
std::vector<ScoreDifference> compare_scores(const Scores& a, const Scores& b, const BootstrapOptions& options = {});

/// In one sentence, by the score `name`, which of them is better and how sure that is.
std::string verdict(const std::vector<ScoreDifference>& differences, std::string_view name, const std::string& a,
                    const std::string& b);

}  // namespace glimpse
