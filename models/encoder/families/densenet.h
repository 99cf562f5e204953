#pragma once
#include "glimpse/models/encoder/network.h"

namespace glimpse {

/// DenseNet (Huang et al., arXiv 1608.06993) of 121, 161, 169 or 201 layers, without the classifier. Stages: stem,
/// denseblock1, transition1, denseblock2, transition2, denseblock3, transition3, denseblock4, norm5 (with its ReLU).
Network densenet(NetworkBuilder builder, int depth);

}  // namespace glimpse
