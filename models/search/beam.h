#pragma once
// Beam search over a batch of images.

#include <cstdint>
#include <vector>

#include "glimpse/models/decoder/decoder.h"

namespace glimpse {

struct BeamOptions {
  int beam = 3;               ///< hypotheses kept at each step; 1 is greedy search
  int max_length = 40;        ///< words predicted at most, `<end>` included
  double length_penalty = 0;  ///< score = log p / n^length_penalty, n words with `<end>`; 0: no normalisation
  bool suppress_unk = false;  ///< never write `<unk>`
  bool keep_alphas = false;   ///< return the attention maps, and beta
  HardContext hard_context = HardContext::expected;  ///< what hard attention reads
  int n_best = 1;                                    ///< captions returned an image, fewer where the beam holds fewer
};

struct Caption {
  std::vector<std::int32_t> words;  ///< without `<start>` and `<end>`
  double score = 0;                 ///< log_probability / n^length_penalty
  double log_probability = 0;       ///< natural logarithm, `<end>` included if finished
  bool finished = true;             ///< false: cut at max_length; returned only where too few captions ended
  Tensor alphas;                    ///< (n,L) f32, one row a prediction, `<end>`'s included; if asked for
  Tensor betas;                     ///< (n) f32 beside them: DecoderStep::beta, of a gate for each channel its mean
};

/// Captions of each image, best first; features (B,L,D). At each step the `beam` best continuations of an image's live
/// hypotheses are kept; those that end with `<end>` become candidates. An image is done when no live hypothesis can
/// still beat its n_best candidates, and then costs nothing more. `<pad>` and `<start>` are never written. Throws Error
/// for beam, max_length or n_best below 1, n_best above beam, and features that do not fit the decoder.
std::vector<std::vector<Caption>> beam_search(const Decoder& decoder, const Tensor& features,
                                              const BeamOptions& options = {});

}  // namespace glimpse
