#pragma once
#include "glimpse/models/encoder/network.h"

namespace glimpse {

/// SqueezeNet (Iandola et al., arXiv 1602.07360) 1.0 or, with `version_1_1`, 1.1. Stages: features.1 (first convolution
/// with its ReLU), features.2 .. features.12, and classifier (1000 logits as one cell), which must be asked for.
Network squeezenet(NetworkBuilder builder, bool version_1_1);

}  // namespace glimpse
