#pragma once
#include "glimpse/models/encoder/network.h"

namespace glimpse {

/// A small CNN to train from nothing on small images: four blocks of convolution, batch norm and ReLU, of which three
/// halve the grid; 64x64 pixels give an 8x8 grid of 128 channels. Stages: block1 .. block4.
Network scratch(NetworkBuilder builder);

}  // namespace glimpse
