#pragma once
// The strokes of the letters that text.h draws.

#include <string>

namespace glimpse {

/// A letter as centre lines of its strokes. y upwards from the baseline: small letters reach 5, capitals 7, tails -2; x
/// from the first stroke's centre to `width`.
///
/// `path` is a list of commands: M x y begins a stroke, L x y draws a line, Q cx cy x y a quadratic Bezier curve,
/// A cx cy rx ry from to an arc of an ellipse between two angles (degrees, counter-clockwise from the right) joined to
/// the stroke so far, O (the same numbers) an arc that begins a stroke. A stroke without length is a dot.
struct Glyph {
  double width;
  const char* path;
};

/// The glyph of a printable ASCII character (0x20 to 0x7e); an empty box for anything else.
const Glyph& glyph_of(char32_t character);

}  // namespace glimpse
