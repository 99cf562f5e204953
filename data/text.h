#pragma once
// Words on pictures: a small font of round strokes, drawn for Glimpse, so that no font file is needed; words with other
// letters by the fonts of the system (data/internal/fonts.h).

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glimpse/data/image.h"

namespace glimpse {

using Colour = std::array<std::uint8_t, 3>;  // sRGB

/// Sizes are heights of a capital letter in pixels; letters reach 0.3 of that below the baseline. A word that
/// is not printable ASCII is drawn with a font of the system, whole; where no font has it, each such code point becomes
/// an empty box.
double text_width(std::string_view text, double size);

/// Draws text with its left edge at x on the baseline y (pixels, y downwards, edges of pixels at whole numbers). Smooth
/// at every size; clipped at the image's edges. `weight` is the stroke width in fractions of the size.
void draw_text(Image& image, double x, double y, std::string_view text, double size, const Colour& colour,
               double weight = 0.135);

/// Breaks text at spaces into lines no wider than `width`; a longer word stands alone.
std::vector<std::string> wrap_text(std::string_view text, double size, double width);

/// Shortens text with "..." until it is no wider than `width`.
std::string fit_text(std::string_view text, double size, double width);

/// Fills a rectangle with round corners; `opacity` 1 covers what was there. Clipped at the image's edges.
void fill_rectangle(Image& image, double x, double y, double width, double height, double radius, const Colour& colour,
                    double opacity = 1);

}  // namespace glimpse
