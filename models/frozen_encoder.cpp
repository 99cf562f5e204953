#include "glimpse/models/frozen_encoder.h"

#include "glimpse/engine/autograd.h"

namespace glimpse {

struct FrozenEncoder::Plan {
  const Encoder* encoder;
};

FrozenEncoder::FrozenEncoder(const Encoder& encoder) : plan_(new Plan{&encoder}) {}
FrozenEncoder::~FrozenEncoder() = default;
FrozenEncoder::FrozenEncoder(FrozenEncoder&&) noexcept = default;
FrozenEncoder& FrozenEncoder::operator=(FrozenEncoder&&) noexcept = default;

Tensor FrozenEncoder::operator()(const Tensor& images) const {
  const NoGrad no_grad;
  return plan_->encoder->forward(images);
}

}  // namespace glimpse
