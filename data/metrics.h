#pragma once
// How good captions are: BLEU-1..4, ROUGE-L and CIDEr-D with the definitions of coco-caption, and METEOR with that of
// nltk, so that numbers compare with published ones. Tokens are taken as given: nothing is split or dropped, and
// nothing but METEOR looks past upper and lower case (coco-caption would run the PTB tokeniser first; say
// `refs=karpathy-tokens` next to a score computed on the tokens of Karpathy's files).

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
  std::string note;       ///< how it was computed, where that depends on the machine; of METEOR

  /// "21.2".
  std::string text() const;
};

/// The names of all scores, in the order in which they are shown: bleu1, bleu2, bleu3, bleu4, meteor, rouge_l,
/// cider.
std::vector<std::string> score_names();
/// What is known of a score before anything is scored; its value is 0. Throws Error listing the names for another one.
const Score& score_named(std::string_view name);

/// The scores of a set of captions. Whoever shows, writes or chooses by them goes through the list, so that a new
/// metric appears everywhere by itself.
struct Scores {
  std::vector<Score> all;
  std::int64_t images = 0;
  std::vector<std::vector<double>> per_image;  ///< (images, scores), in the orders of the input and of `all`
  std::vector<std::vector<double>> sums;       ///< (images, n) what each adds to the set's values; for data/bootstrap.h

  /// Throw Error listing the names for another one.
  double operator[](std::string_view name) const;
  double of_image(std::size_t image, std::string_view name) const;
  /// {"bleu": [...], "meteor": ..., "rouge_l": ..., "cider_d": ...}.
  std::string json() const;
  /// Positions of all images by one score; of equals the earlier comes first.
  std::vector<std::size_t> ranked(std::string_view name, bool best_first) const;
};

/// Scores one caption per image against its references by BLEU-1..4, METEOR, ROUGE-L and CIDEr-D, as nltk (METEOR) and
/// coco-caption (the others) do on the same tokens (equal to 1e-9; the formulas stand in data/internal/metric.h).
/// METEOR looks synonyms up in the WordNet that is installed, and its note says whether there is one. A word must not
/// be empty or hold white space if the result is to equal coco-caption's, which joins and splits. Where every reference
/// of the set is empty, coco-caption stops with an exception; here CIDEr-D is 0. Throws Error where the two sizes
/// differ, where there is no image, where an image has no reference, and for a WordNet that is damaged.
Scores score_captions(const std::vector<CaptionWords>& hypotheses,
                      const std::vector<std::vector<CaptionWords>>& references);

}  // namespace glimpse
