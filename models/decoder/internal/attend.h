#pragma once
// Attention of all words of a batch at once, for decoders whose attention does not lead into the recurrence.

#include "glimpse/models/decoder/decoder.h"

namespace glimpse {

/// What queries (R) see of the cells alone.
struct Attended {
  Tensor context;  ///< (R,D)
  Tensor alpha;    ///< (R,L), rows sum to 1
  Tensor log_sum;  ///< (R), logarithm of the sum of e^score
};

/// Query number n (N,A) looks at the image of token n of `batch`. Differentiable in the memory, the queries and
/// decoder.score. The keys and features of an image are read once for all words of its captions.
Attended attend_all(const Decoder& decoder, const DecoderMemory& memory, const Tensor& query, const TokenBatch& batch);

/// Which image token n of `batch` looks at: (N) i32 on `device`.
Tensor image_of_tokens(const TokenBatch& batch, Device device);

}  // namespace glimpse
