#pragma once
#include "glimpse/models/encoder/network.h"

namespace glimpse {

/// ResNet (He et al., arXiv 1512.03385) of 18, 34, 50, 101 or 152 layers, without the classifier. Stages: stem, layer1
/// .. layer4. Bottleneck blocks have their stride in the 3x3 convolution (torchvision, "v1.5"), or with `stride_in_1x1`
/// in the first 1x1 (the paper, "v1").
Network resnet(NetworkBuilder builder, int depth, bool stride_in_1x1);

}  // namespace glimpse
