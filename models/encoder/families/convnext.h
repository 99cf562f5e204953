#pragma once
// ConvNeXt (Liu et al., arXiv 2201.03545) with torchvision's names.

#include <string>

#include "glimpse/models/encoder/network.h"

namespace glimpse {

/// `size`: tiny, small, base or large. Ends with the last block, before the classifier's norm.
Network convnext(NetworkBuilder builder, const std::string& size);

}  // namespace glimpse
