#pragma once
// The hypotheses of a search, as a tree: those that begin alike share their beginnings.

#include <cstdint>
#include <vector>

#include "glimpse/engine/words.h"
#include "glimpse/models/search/beam.h"

namespace glimpse {

/// A word of a hypothesis, and the one before it.
struct Hypothesis {
  std::int64_t parent = -1;        // -1: nothing is written yet
  std::int32_t word = start_word;  // the word to be read next, <start> at first
  std::int64_t length = 0;         // words up to here
  std::int64_t row = 0;            // of the step that predicted it, where its attention stands
  double log_probability = 0;      // of all words up to here
};

class Hypotheses {
 public:
  /// `coverage`: keep how much attention each hypothesis has paid to each place.
  Hypotheses(bool keep_alphas, bool coverage) : keep_alphas_(keep_alphas), coverage_(coverage) {}

  /// A hypothesis without words.
  std::int64_t begin();
  /// Takes alpha (R,L) and beta (R,1) or (R,D) of a step, which may be undefined, before hypotheses of its rows are
  /// added.
  void attend(const Tensor& alpha, const Tensor& beta);
  /// `parent`, whose last word stood in `row` of the step, and one word more; log_probability is of them all.
  std::int64_t add(std::int64_t parent, std::int32_t word, std::int64_t row, double log_probability);
  std::int64_t size() const { return std::ssize(list_); }
  const Hypothesis& operator[](std::int64_t id) const { return list_[id]; }

  /// Words that would make the last n words of the hypothesis stand in it twice.
  std::vector<std::int32_t> repeating(std::int64_t id, int n) const;
  /// sum_l log min(sum_t alpha_tl, 1), with a floor where nothing was paid at all.
  double coverage(std::int64_t id) const;
  Caption caption(std::int64_t id, bool finished, double score) const;

 private:
  std::vector<std::int32_t> words(std::int64_t id) const;

  bool keep_alphas_, coverage_;
  std::vector<Hypothesis> list_;
  std::vector<Tensor> alphas_, betas_;         // of each step, if kept
  std::vector<double> step_alpha_;             // (R,L) of the last step, for coverage
  std::int64_t locations_ = 0;                 // L
  std::vector<std::vector<double>> attended_;  // of each hypothesis (L), for coverage
};

}  // namespace glimpse
