#pragma once
// Words that the built-in letters cannot draw, by the fonts of the system: fontconfig chooses one, HarfBuzz places its
// glyphs, FreeType draws them. Where Glimpse was built without these, or no font has a word's letters, nothing is drawn
// here.

#include <functional>
#include <string_view>

namespace glimpse::fonts {

/// Whether some font has all letters of `text` (one line of UTF-8, one direction of writing).
bool covers(std::string_view text);

/// The width in pixels, for capital letters `size` pixels high. 0 where no font covers the text.
double width(std::string_view text, double size);

/// Calls put(x, y, opacity) for the pixels of the text whose left end is at x on the baseline y; opacity in (0, 1].
void draw(double x, double y, std::string_view text, double size,
          const std::function<void(int x, int y, double opacity)>& put);

}  // namespace glimpse::fonts
