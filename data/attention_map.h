#pragma once
// Pictures of where the network looked while it wrote each word (Xu et al. 2015, "Show, Attend and Tell", figures 2-5).

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "glimpse/data/image.h"

namespace glimpse {

/// The attention of a caption: for each word a map over the encoder's grid, which covers the whole photograph.
struct AttentionMaps {
  int rows = 0, columns = 0;       ///< of the grid
  std::vector<std::string> words;  ///< T of them
  std::vector<float> weights;      ///< (T, rows * columns), not negative; each map usually sums to 1
  std::vector<float> beta = {};    ///< T, written beside the words; empty: not known
};

/// Word `index` as pictures and reports show it: "dog", or "dog 0.83" with its beta.
std::string attended_word(const AttentionMaps& maps, int index);

enum class AttentionStyle {
  light,   // a spotlight: the photograph where the network looks, dark and grey where it does not
  colour,  // a map from violet to yellow over the photograph in grey
};

/// A map (rows, columns) drawn smooth at height x width: cells are the centres of a cubic B-spline, which neither rings
/// nor falls below 0, continued with the value of the edge. -> (height, width) in [0, 1]: divided by the largest value,
/// or by 2 / (rows * columns) where that is more, so that a map which looks everywhere alike is shown as half lit
/// instead of as noise. Throws Error for wrong sizes and for weights that are negative or not finite.
std::vector<float> smooth_attention(std::span<const float> weights, int rows, int columns, int height, int width);

/// The photograph with one map laid over it, in the size of the photograph.
Image draw_attention(const Image& photograph, std::span<const float> weights, int rows, int columns,
                     AttentionStyle style = AttentionStyle::light);

/// Word `index` of the maps over the photograph (enlarged or reduced to be 480 to 960 pixels long) with the word
/// written in its corner.
Image draw_attended_word(const Image& photograph, const AttentionMaps& maps, int index,
                         AttentionStyle style = AttentionStyle::light);

/// All words of a caption on one sheet: `heading` (the caption, when empty) above, then the photograph and one small
/// picture per word.
Image draw_attention_sheet(const Image& photograph, const AttentionMaps& maps, const std::string& heading = "",
                           AttentionStyle style = AttentionStyle::light);

/// Writes the sheet FOLDER/NAME.png and one picture per word, FOLDER/NAME-01-dog.png. The folder is created; what a
/// file name cannot hold is left out of the word. -> the paths, the sheet first. Throws Error naming the path.
std::vector<std::string> write_attention_pictures(const std::string& folder, const std::string& name,
                                                  const Image& photograph, const AttentionMaps& maps,
                                                  const std::string& heading = "",
                                                  AttentionStyle style = AttentionStyle::light);

}  // namespace glimpse
