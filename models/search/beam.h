#pragma once
// Beam search over a batch of images, by one decoder or several.

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/choice.h"
#include "glimpse/models/decoder/decoder.h"

namespace glimpse {

/// What the log p of n words, `<end>` among them, is divided by, given the exponent a (length_penalty).
enum class LengthNorm : std::uint8_t {
  words,  ///< n^a: 0 is the plain sum, 1 the mean
  gnmt    ///< ((5 + n) / 6)^a (Wu et al. 2016, "Google's Neural Machine Translation System", eq. 14)
};
constexpr auto choices(LengthNorm) {
  return std::array{Choice{LengthNorm::words, "words"}, Choice{LengthNorm::gnmt, "gnmt"}};
}

struct BeamOptions {
  int beam = 3;                                      ///< hypotheses kept at each step; 1 is greedy search
  int max_length = 40;                               ///< words predicted at most, `<end>` included
  double length_penalty = 0;                         ///< a: score = log p / length norm; 0: no normalisation
  bool suppress_unk = false;                         ///< never write `<unk>`
  bool keep_alphas = false;                          ///< return the attention maps, and beta
  bool keep_tree = false;                            ///< return what else the search kept
  int n_best = 1;                                    ///< captions returned an image, fewer where the beam holds fewer
  HardContext hard_context = HardContext::expected;  ///< what hard attention reads
  LengthNorm length_norm = LengthNorm::words;
  int min_length = 0;       ///< words before `<end>` at least
  int no_repeat_ngram = 0;  ///< no n words stand twice in a caption in the same order; 0: they may
  /// b: the score gets b sum_l log min(sum_t alpha_tl, 1), less the more of the image was not looked at (GNMT, eq. 14);
  /// 0: off. Needs attention.
  double coverage_penalty = 0;
  /// The beam is cut into so many groups; at each step a word that groups before it write then costs a group's
  /// hypotheses `diversity` each time (Vijayakumar et al. 2018, "Diverse Beam Search", with Hamming diversity). The
  /// best of each group come first into the n best; captions that several groups have count once.
  int groups = 1;
  double diversity = 0.5;
};

/// The hypotheses that a search kept of an image: at each step the best continuations of those before.
struct BeamTree {
  struct Node {
    std::int64_t parent = -1;        ///< its place in `nodes`, which is before this one
    std::int32_t word = start_word;  ///< `<end>` where it ended
    double log_probability = 0;      ///< of all words up to here
    double score = 0;                ///< what it is ranked by, where it ended
  };
  std::vector<Node> nodes;  ///< the first has no word yet
};

struct Caption {
  std::vector<std::int32_t> words;  ///< without `<start>` and `<end>`
  double score = 0;                 ///< log_probability / length norm, and the coverage penalty
  double log_probability = 0;       ///< natural logarithm, `<end>` included if finished
  bool finished = true;             ///< false: cut at max_length; returned only where too few captions ended
  Tensor alphas;                    ///< (n,L) f32, one row a prediction, `<end>`'s included; if asked for
  Tensor betas;                     ///< (n) f32 beside them: DecoderStep::beta, of a gate for each channel its mean
  std::shared_ptr<const BeamTree> tree;  ///< one for all captions of an image; if asked for
  std::int64_t leaf = -1;                ///< where this one's last word stands in it
};

/// A decoder of an ensemble, and what it sees of the images.
struct SearchMember {
  const Decoder& decoder;
  Tensor features;  ///< (B,L,D); L and D may differ from member to member
};

/// Captions of each image, best first; features (B,L,D). At each step the `beam` best continuations of an image's live
/// hypotheses are kept; those that end with `<end>` become candidates. An image is done when no live hypothesis can
/// still beat its n_best candidates, and then costs nothing more. `<pad>` and `<start>` are never written. There is
/// always a caption. Throws Error for options that make no sense, and for features that do not fit
/// the decoder.
std::vector<std::vector<Caption>> beam_search(const Decoder& decoder, const Tensor& features,
                                              const BeamOptions& options = {});

/// The same by an ensemble: a word's probability is the mean of its probabilities by the members. Attention is the
/// first member's. Throws Error where members differ in vocabulary, number of images, type or device, and for none.
std::vector<std::vector<Caption>> beam_search(const std::vector<SearchMember>& members,
                                              const BeamOptions& options = {});

}  // namespace glimpse
