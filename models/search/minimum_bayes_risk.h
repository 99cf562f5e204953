#pragma once
// The caption that the others agree with most, rather than the likeliest one.

#include <array>
#include <cstdint>
#include <vector>

#include "glimpse/kernels/base/choice.h"
#include "glimpse/models/search/beam.h"

namespace glimpse {

/// What of several captions of an image is the best: the likeliest, or the one that gains most where one of the others
/// is right.
enum class ChooseBy : std::uint8_t {
  score,  ///< Caption::score
  cider,  ///< gain: CIDEr-D of the two, all n-grams weighing the same
  bleu    ///< gain: BLEU-4 of the two, counts of two words and more raised by one
};
constexpr auto choices(ChooseBy) {
  return std::array{Choice{ChooseBy::score, "score"}, Choice{ChooseBy::cider, "cider"}, Choice{ChooseBy::bleu, "bleu"}};
}

/// For each caption the expected gain, sum_j p_j gain(caption, caption j), p_j being its probability among those given
/// (minimum Bayes risk: Kumar and Byrne 2004, "Minimum Bayes-Risk Decoding for Statistical Machine Translation"). For
/// `score` the scores themselves.
std::vector<double> expected_gains(const std::vector<Caption>& captions, ChooseBy by);

/// Orders the captions by expected gain, best first; of equals the earlier comes first. Their score becomes that gain.
void choose(std::vector<Caption>& captions, ChooseBy by);

}  // namespace glimpse
