#pragma once
// One step of the decoder for many hypotheses of many images at once, without gradients.

#include <cstdint>
#include <vector>

#include "glimpse/engine/internal/on_device.h"
#include "glimpse/models/decoder/decoder.h"
#include "glimpse/models/decoder/internal/attend.h"

namespace glimpse {

/// Which hypotheses belong together: group g are rows first[g] .. first[g+1]-1, which look at image image[g].
struct BeamGroups {
  std::vector<std::int64_t> image;
  std::vector<std::int64_t> first{0};

  std::int64_t groups() const { return static_cast<std::int64_t>(image.size()); }
  std::int64_t rows() const { return first.back(); }
  /// (rows)
  std::vector<std::int32_t> image_of_rows() const;
};

/// Equal to Decoder::step, but all hypotheses of an image share one read of its keys and features, images that are done
/// cost nothing, the decoder's matrices are laid out once, and the words' part of the gates is computed once a word.
class BeamStep {
 public:
  BeamStep(const Decoder& decoder, const Tensor& features, HardContext hard_context = HardContext::expected);

  DecoderState start() const { return decoder_.start(memory_); }
  /// Reads words (R) with states (R,H), or with `rows` (R) of states. All that a GPU needs to know goes there in one
  /// copy.
  DecoderStep operator()(const BeamGroups& groups, const std::vector<std::int32_t>& words, const DecoderState& state,
                         const std::vector<std::int32_t>& rows = {});

 private:
  /// Multiplies by a weight matrix, transposed. Laying it out for the CPU's packed products costs about as much as
  /// those save in a few steps of more than four rows, so that waits until some were done: most searches of one image
  /// never need it.
  class Matrix {
   public:
    Matrix() = default;
    /// Columns [first_column, first_column + columns) of weight (n,K).
    Matrix(const Tensor& weight, std::int64_t first_column, std::int64_t columns);
    std::int64_t size() const { return weight_.size(0); }
    /// y (R,n) = x (R,columns) times the matrix, added to y if `accumulate`.
    void multiply(const Tensor& x, bool accumulate, const Tensor& y);

   private:
    static constexpr int patience = 3;
    static constexpr std::int64_t few_rows = 4;
    Tensor weight_, packed_;
    std::int64_t first_column_ = 0, columns_ = 0;
    int products_ = 0;
  };

  /// The numbers of a step, where its kernels read them.
  struct Lists {
    Tensor unseen = {};               // (U) i32 words that come up for the first time
    Tensor slot = {};                 // (R) i32 rows of word_gates_
    Tensor words = {};                // (R) i32
    Tensor image_of = {}, rows = {};  // (R) i32; undefined where they are not needed
    OnDevice image, first;            // of BeamGroups
  };
  Lists send(const BeamGroups& groups, const std::vector<std::int32_t>& words, const std::vector<std::int32_t>& rows);
  Tensor word_gates(const Lists& lists);
  /// What queries (R,A) see of the cells, in so many groups.
  Attended attend(std::int64_t groups, const Lists& lists, const Tensor& query);
  /// The gate (R,1) or (R,D) of state h, and the gated context (R,D).
  std::pair<Tensor, Tensor> gate(const Tensor& h, const Tensor& context);

  const Decoder& decoder_;
  bool argmax_;  // hard attention reads the likeliest location
  DecoderMemory memory_;
  Matrix query_, gate_, gates_of_words_, gates_of_h_, gates_of_context_, output_;
  Tensor image_gates_;              // (B,4H), of what the LSTM reads of the image at every step; sentinel only
  Tensor bias_;                     // (4H)
  Tensor word_gates_;               // (capacity,4H), rows in the order in which words came up
  std::vector<std::int32_t> slot_;  // (V) row of a word in word_gates_, -1: not seen yet
  std::int64_t seen_ = 0;
};

}  // namespace glimpse
