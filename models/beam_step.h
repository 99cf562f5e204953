#pragma once
// One step of the decoder for many hypotheses of many images at once, without gradients. Internal to models/.

#include <cstdint>
#include <vector>

#include "glimpse/models/decoder.h"

namespace glimpse {

/// Which hypotheses belong together: group g are rows first[g] .. first[g+1]-1, which look at image image[g].
struct BeamGroups {
  std::vector<std::int64_t> image;
  std::vector<std::int64_t> first{0};

  std::int64_t groups() const { return static_cast<std::int64_t>(image.size()); }
  std::int64_t rows() const { return first.back(); }
};

/// Equal to Decoder::step, but all hypotheses of an image share one read of its keys and features, images that are done
/// cost nothing, the decoder's matrices are laid out once, and the words' part of the gates is computed once a word.
class BeamStep {
 public:
  BeamStep(const Decoder& decoder, const Tensor& features);

  DecoderState start() const { return decoder_.start(features_); }
  /// Reads words (R) with states (R,H). The result has no gate.
  DecoderStep operator()(const BeamGroups& groups, const std::vector<std::int32_t>& words, const DecoderState& state);

 private:
  /// A matrix (k,n) for packed products.
  struct Matrix {
    std::int64_t k = 0, n = 0;
    Tensor packed;
    /// y (R,n) = x (R,k) times the matrix, added to y if `accumulate`.
    void multiply(const Tensor& x, bool accumulate, const Tensor& y) const;
  };
  static Matrix pack_transposed(const Tensor& weight, std::int64_t first_column, std::int64_t columns);

  Tensor gates_of_words(const std::vector<std::int32_t>& words);
  /// The gated context of state h, (R,D), and alpha (R,L).
  std::pair<Tensor, Tensor> attend(const BeamGroups& groups, const Tensor& h) const;

  const Decoder& decoder_;
  Tensor features_, keys_;
  Matrix projection_, gates_of_h_, gates_of_context_, output_;
  Tensor word_weight_, bias_;       // (4H,E), (4H)
  Tensor word_gates_;               // (capacity,4H), rows in the order in which words came up
  std::vector<std::int32_t> slot_;  // (V) row of a word in word_gates_, -1: not seen yet
  std::int64_t seen_ = 0;
};

}  // namespace glimpse
