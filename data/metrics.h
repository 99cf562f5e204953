#pragma once
// How good captions are: BLEU-1..4, ROUGE-L and CIDEr-D with the definitions of coco-caption, so that numbers compare
// with published ones. Tokens are taken as given: nothing is lower-cased, split or dropped (coco-caption would run the
// PTB tokeniser first; say `refs=karpathy-tokens` next to a score computed on the tokens of Karpathy's files).

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace glimpse {

/// The tokens of one caption, without <start> and <end>.
using CaptionWords = std::vector<std::string>;

/// The scores of one image's caption. BLEU of a single sentence says little; CIDEr-D is the one to sort by.
struct ImageScores {
  std::array<double, 4> bleu{};  // BLEU-1..4, in [0, 1]
  double rouge_l = 0;            // in [0, 1]
  double cider_d = 0;            // in [0, 10]
};

/// The scores of a set of captions.
struct Scores {
  std::array<double, 4> bleu{};  // of the whole set: counts are summed before they are divided
  double rouge_l = 0;            // mean over images
  double cider_d = 0;            // mean over images; papers often print it times 100
  std::int64_t images = 0;
  std::vector<ImageScores> per_image;  // in the order of the input
};

/// Scores one caption per image against its references, as coco-caption does on the same tokens (equal to 1e-9).
///
/// BLEU-n (Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation", eq. of section 2.3):
///   geometric mean over k = 1..n of (matched k-grams + 1e-15) / (k-grams + 1e-9), where an n-gram matches at most as
///   often as it occurs in the one reference that has most of it; times exp(1 - r/c) where c < r. The reference length
///   r sums, per image, the length closest to the caption's; of two equally close, the shorter.
/// ROUGE-L (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", eq. 2-4): with the longest common
///   subsequence, (1 + b^2) P R / (R + b^2 P), b = 1.2, where P and R are each the best over the references, not
///   necessarily the same one. An empty caption counts as one word that only an empty reference has.
/// CIDEr-D (Vedantam et al. 2015, "CIDEr: Consensus-based Image Description Evaluation", eq. 1-3 and section 8): 10
/// times
///   the mean over n = 1..4 and over the references of the cosine of tf-idf vectors, clipped to the reference's
///   weights, times exp(-d^2 / (2 * 6^2)). As in coco-caption tf is the plain count, idf is log(images) - log(max(1,
///   images whose references hold the n-gram)), and d is the difference in the number of *bigrams*. With one image
///   every idf is 0, and so is the score. What coco-caption prints as "CIDEr" is this.
///
/// A word must not be empty or hold white space if the result is to equal coco-caption's, which joins and splits.
/// Where every reference of the set is empty, coco-caption stops with an exception; here CIDEr-D is 0.
/// Throws Error where the two sizes differ, where there is no image, or where an image has no reference.
Scores score_captions(const std::vector<CaptionWords>& hypotheses,
                      const std::vector<std::vector<CaptionWords>>& references);

/// What scores do not show: a model that ignores the image writes few distinct captions, one with a broken vocabulary
/// many <unk>.
struct CaptionStatistics {
  double distinct = 0;     // share of different captions among all, in (0, 1]
  double unknown = 0;      // share of words that are <unk>, in [0, 1]
  double mean_length = 0;  // words per caption
  std::int64_t empty = 0;  // captions without a word
};

/// Statistics of captions; all zero where there are none.
CaptionStatistics caption_statistics(const std::vector<CaptionWords>& captions);

}  // namespace glimpse
