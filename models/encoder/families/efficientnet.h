#pragma once
// EfficientNet (Tan & Le, arXiv 1905.11946) B0 to B7 with torchvision's names, and its Lite variants (TensorFlow's
// efficientnet/lite) with those of the package efficientnet_lite_pytorch.

#include "glimpse/models/encoder/network.h"
#include "glimpse/models/encoder/preprocessing.h"

namespace glimpse {

/// `size`: 0 .. 7. Ends after the last convolution, before the pooling of the classifier.
Network efficientnet(NetworkBuilder builder, int size);
/// `size`: 0 .. 4. No squeeze-and-excitation, ReLU6, TensorFlow's padding, stem and head of fixed width.
Network efficientnet_lite(NetworkBuilder builder, int size);
/// (x - 127) / 128 of the values 0 .. 255.
Preprocessing efficientnet_lite_preprocessing();

}  // namespace glimpse
