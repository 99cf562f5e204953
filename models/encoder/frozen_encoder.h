#pragma once
// The quick way through an encoder whose weights do not change: for feature caches and captions.

#include <memory>

#include "glimpse/models/encoder/encoder.h"

namespace glimpse {

/// A plan for inference, made once from an encoder: batch norms are folded into convolutions, activations and sums are
/// done where the convolution writes its result, and joined channels are written in place. Equals Encoder::forward to
/// rounding. It runs where the encoder's weights are. On the CPU every thread takes whole images through the network,
/// so that intermediate results stay in its cache; this needs oneDNN, and a build without it runs Encoder::forward. On
/// a GPU all images of a batch take each step together. The weights are copied: later changes do not show.
class FrozenEncoder {
 public:
  explicit FrozenEncoder(const Encoder& encoder);
  ~FrozenEncoder();
  FrozenEncoder(FrozenEncoder&&) noexcept;
  FrozenEncoder& operator=(FrozenEncoder&&) noexcept;

  /// images (N,3,S,S) f32, on any device -> features (N,L,D) f32, where the encoder's weights are. One call at a time.
  Tensor operator()(const Tensor& images) const;

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace glimpse
