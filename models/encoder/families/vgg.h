#pragma once
#include "glimpse/models/encoder/network.h"

namespace glimpse {

/// VGG (Simonyan & Zisserman, arXiv 1409.1556) of 16 or 19 layers, without batch norm and classifier. Stages: block1 ..
/// block5, each before its pooling, and pool5. Usually tapped after block5: the 14x14 grid of Show, Attend and Tell.
Network vgg(NetworkBuilder builder, int depth);

}  // namespace glimpse
