#pragma once
// From photographs to what an encoder takes.

#include <cstdint>
#include <functional>

#include "glimpse/data/image.h"
#include "glimpse/engine/tensor.h"
#include "glimpse/models/encoder/preprocessing.h"

namespace glimpse {

/// image(i) for i < count, squashed to S x S and normalised: (N,3,S,S) f32 on `device`. `image` is called by all
/// threads of the caller, and what it throws is thrown here. To a GPU go the bytes, a fourth of the numbers, which are
/// made there.
Tensor encoder_input(std::int64_t count, const std::function<Image(std::int64_t)>& image,
                     const Preprocessing& preprocessing, Device device);

}  // namespace glimpse
