#pragma once
// The weights that a decoder starts from.

#include "glimpse/models/decoder/decoder.h"

namespace glimpse {

/// Overwrites the weights of a decoder, drawn as layers draw them, where config.weights wants others.
void draw_weights(Decoder& decoder, Generator& generator);

}  // namespace glimpse
