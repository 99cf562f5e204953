#pragma once
// Captions drawn at random from what a decoder, or several, deem likely.

#include <cstdint>
#include <vector>

#include "glimpse/models/search/beam.h"

namespace glimpse {

struct SampleOptions {
  int count = 1;           ///< captions an image
  int max_length = 40;     ///< words predicted at most, `<end>` included
  double temperature = 1;  ///< T: words are drawn from softmax(logits / T)
  int top_k = 0;           ///< only from the k likeliest words; 0: from all
  double top_p = 1;        ///< only from the fewest likeliest words that hold this much of the probability (nucleus:
                           ///< Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration")
  std::uint64_t seed = 1;  ///< the same seed, the same random numbers, whatever the batch and the device
  std::int64_t first_image = 0;  ///< number of the first image of the batch among all
  double length_penalty = 0;     ///< for Caption::score, as length_norm
  LengthNorm length_norm = LengthNorm::words;
  bool suppress_unk = false;  ///< never write `<unk>`
  bool keep_alphas = false;   ///< return the attention maps
  int min_length = 0;         ///< words before `<end>` at least
  int no_repeat_ngram = 0;    ///< no n words stand twice in a caption in the same order; 0: they may
};

/// Captions of each image, best score first; options and members as for beam_search. Word by word, each is drawn by a
/// random number that depends on the seed, the image, the caption and the word's place alone. `<pad>` and `<start>` are
/// never written. log_probability is the model's own, whatever it was drawn with. Without gradient and dropout. Throws
/// Error for options that make no sense, and what beam_search throws for members.
std::vector<std::vector<Caption>> sample_captions(const std::vector<SearchMember>& members,
                                                  const SampleOptions& options = {});

}  // namespace glimpse
