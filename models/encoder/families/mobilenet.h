#pragma once
#include "glimpse/models/encoder/network.h"

namespace glimpse {

/// MobileNetV2 (Sandler et al., arXiv 1801.04381) of width 1, without the classifier. Stages: features.0 ..
/// features.18.
Network mobilenet_v2(NetworkBuilder builder);

}  // namespace glimpse
