#pragma once
// The quick way through an encoder whose weights do not change: for feature caches and captions.

#include <memory>

#include "glimpse/models/encoder.h"

namespace glimpse {

/// A plan for inference, made once from an encoder: batch norms are folded into convolutions, activations and sums are
/// done where the convolution writes its result, joined channels are written in place, and every thread takes whole
/// images through the network, so that intermediate results stay in its cache. Equals Encoder::forward to rounding.
/// Needs oneDNN; in a build without it, it runs Encoder::forward. The weights are copied: later changes do not show.
class FrozenEncoder {
 public:
  explicit FrozenEncoder(const Encoder& encoder);
  ~FrozenEncoder();
  FrozenEncoder(FrozenEncoder&&) noexcept;
  FrozenEncoder& operator=(FrozenEncoder&&) noexcept;

  /// images (N,3,S,S) f32 -> features (N,L,D) f32. One call at a time.
  Tensor operator()(const Tensor& images) const;

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace glimpse
