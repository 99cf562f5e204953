#pragma once
// Several views of one picture, to train on: the whole, parts of it, and the mirror images of both.

#include <string>

#include "glimpse/data/image.h"

namespace glimpse {

/// Views are numbered. 0 is the whole picture as it is; 2, 4, 6 and 8 are its top left, bottom right, top right and
/// bottom left part, of 7/8 of its width and height; each odd one is the mirror image of the one before. These are the
/// ten crops of Krizhevsky et al. 2012 ("ImageNet Classification with Deep Convolutional Neural Networks", 4.1), who
/// cut 224 of 256 pixels, with the whole in place of the centre: a caption speaks of the whole.
inline constexpr int most_views = 10;

/// Whether left and right have changed places.
constexpr bool is_mirrored(int view) { return view % 2 == 1; }

/// The views 1 .. count-1 in words, "mirrored, top left 7/8"; "" of one view. So a list of fewer views is the beginning
/// of one of more. Throws Error for a count outside 1 .. most_views.
std::string views_text(int count);
/// How many views such a text stands for, the first one included.
int count_views(const std::string& text);

/// The part of a picture that a view shows, not mirrored. Throws Error for a number that is none.
Image part_of(Image image, int view);
/// Left and right exchanged.
Image mirrored(Image image);

}  // namespace glimpse
