#pragma once
// How good captions are: BLEU-1..4, ROUGE-L and CIDEr-D with the definitions of coco-caption, so that numbers compare
// with published ones. Tokens are taken as given: nothing is lower-cased, split or dropped (coco-caption would run the
// PTB tokeniser first; say `refs=karpathy-tokens` next to a score computed on the tokens of Karpathy's files).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glimpse {

/// The tokens of one caption, without `<start>` and `<end>`.
using CaptionWords = std::vector<std::string>;

/// One number that says how good captions are.
struct Score {
  std::string name;    ///< for training.keep_best and operator[]: "bleu4"
  std::string label;   ///< for people: "BLEU-4"
  std::string metric;  ///< in JSON: "bleu", which has four values
  double value = 0;
  double scale = 1;  ///< people read scale * value,
  int digits = 3;    ///< with so many decimals
  bool higher_is_better = true;
  bool of_metric = true;  ///< the one value that stands for its metric in charts

  /// "21.2".
  std::string text() const;
};

/// The names of all scores, in the order in which they are shown: bleu1, bleu2, bleu3, bleu4, rouge_l, cider.
std::vector<std::string> score_names();
/// What is known of a score before anything is scored; its value is 0. Throws Error listing the names for another one.
const Score& score_named(std::string_view name);

/// The scores of a set of captions. Whoever shows, writes or chooses by them goes through the list, so that a new
/// metric appears everywhere by itself.
struct Scores {
  std::vector<Score> all;
  std::int64_t images = 0;
  std::vector<std::vector<double>> per_image;  ///< (images, scores), in the orders of the input and of `all`

  /// Throw Error listing the names for another one.
  double operator[](std::string_view name) const;
  double of_image(std::size_t image, std::string_view name) const;
  /// {"bleu": [...], "rouge_l": ..., "cider_d": ...}.
  std::string json() const;
  /// Positions of all images by one score; of equals the earlier comes first.
  std::vector<std::size_t> ranked(std::string_view name, bool best_first) const;
};

/// Scores one caption per image against its references by BLEU-1..4, ROUGE-L and CIDEr-D, as coco-caption does on the
/// same tokens (equal to 1e-9; the formulas stand in data/internal/metric.h). A word must not be empty or hold white
/// space if the result is to equal coco-caption's, which joins and splits. Where every reference of the set is empty,
/// coco-caption stops with an exception; here CIDEr-D is 0. Throws Error where the two sizes differ, where there is no
/// image, or where an image has no reference.
Scores score_captions(const std::vector<CaptionWords>& hypotheses,
                      const std::vector<std::vector<CaptionWords>>& references);

/// What scores do not show: a model that ignores the image writes few distinct captions, one with a broken vocabulary
/// many `<unk>`.
struct CaptionStatistics {
  double distinct = 0;     ///< share of different captions among all, in (0, 1]
  double unknown = 0;      ///< share of words that are `<unk>`, in [0, 1]
  double mean_length = 0;  ///< words per caption
  std::int64_t empty = 0;  ///< captions without a word
  double bad_endings = 0;  ///< share of captions that end in the middle of an English phrase: "a dog with a"
};

/// Statistics of captions; all zero where there are none.
CaptionStatistics caption_statistics(const std::vector<CaptionWords>& captions);

}  // namespace glimpse
