#pragma once
// A batch of captions laid out for training: only real words, step by step.

#include <cstdint>
#include <memory>
#include <vector>

#include "glimpse/engine/tensor.h"

namespace glimpse {

class ImageGroups;  // private (models/decoder/internal/image_groups.h)

/// Captions in the packed layout, as make_token_batch makes them. Rows are sorted by falling length; at step t the
/// first active[t] rows still have a word to predict, and their tokens are numbers offset[t] .. offset[t + 1] - 1 of N
/// = tokens(), row by row. So no padding is ever computed on, and the rows of a step are always the first ones of the
/// step before.
struct TokenBatch {
  std::vector<std::int64_t> order;    ///< (B) row r holds caption order[r] of those given
  std::vector<std::int64_t> active;   ///< (T) rows at step t, falling
  std::vector<std::int64_t> offset;   ///< (T+1) first token of step t
  std::vector<std::int64_t> image;    ///< (B) the features that row r belongs to; empty: its own, row r
  std::int64_t least_vocabulary = 0;  ///< words that a vocabulary must have: the largest of all plus one
  Tensor inputs;                      ///< (N) i32, the word read: number t of its caption
  Tensor targets;                     ///< (N) i32, the word to be predicted: number t + 1
  Tensor distinct;                    ///< (U) i32, the words that are read, each once: so much less to embed
  Tensor slot;                        ///< (N) i32, where an input stands there: inputs[i] = distinct[slot[i]]

  Tensor row_of_token;  ///< (N) i32
  /// (N) i32, with which state a token's step begins: below B the start of that row, from B on that of token i - B.
  Tensor state_before;
  Tensor image_of_row;                        ///< (B) i32, `image` again; undefined where that is empty
  Tensor image_of_token;                      ///< (N) i32; undefined where that is empty: the row's own
  Tensor stored;                              ///< (I) i32, where features are stored: each image's row; else undefined
  std::shared_ptr<const ImageGroups> groups;  ///< on a GPU: which words look at which image, for its kernels

  /// The same with its tensors on `device`, to which they go in one copy.
  TokenBatch to(Device device) const;

  std::int64_t rows() const { return static_cast<std::int64_t>(order.size()); }
  /// Whose features the batch needs, and which of them row r looks at.
  std::int64_t images() const;
  std::int64_t image_of(std::int64_t row) const { return image.empty() ? row : image[row]; }
  std::int64_t steps() const { return static_cast<std::int64_t>(active.size()); }
  std::int64_t tokens() const { return offset.back(); }
};

/// The batch with other words to be read, inputs (N), on its device; the targets stay. Throws Error for another number
/// of words and a negative one.
TokenBatch with_inputs(TokenBatch batch, const std::vector<std::int32_t>& inputs);

/// Lays out captions, each given as words from `<start>` to `<end>` inclusive; captions of equal length keep their
/// order. images[i], where given, is the image of caption i: numbers from 0 on, none left out, for captions that share
/// features. Throws Error for an empty list, a caption of fewer than two words, a negative word, and for images that
/// are not one a caption or not so numbered.
TokenBatch make_token_batch(const std::vector<std::vector<std::int32_t>>& captions,
                            const std::vector<std::int64_t>& images = {});

}  // namespace glimpse
