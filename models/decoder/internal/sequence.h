#pragma once
// The recurrence of the decoder over a whole batch of captions as one differentiable op.

#include "glimpse/models/decoder/decoder.h"

namespace glimpse {

/// All states of a batch, in its packed order.
struct Sequence {
  Tensor h, c;      ///< (N,H)
  Tensor context;   ///< (N,D) gated; undefined where the LSTM reads no context
  Tensor alpha;     ///< (N,L); the same
  Tensor location;  ///< (N) i32 that were drawn; undefined where none were
};

/// The words that a batch reads.
struct EmbeddedWords {
  Tensor rows;  ///< (U,E), or (N,E) without a slot
  Tensor slot;  ///< (N) i32, the row of each token; undefined: its own
};

/// Runs the LSTM of recurrent_step, and the attention that leads into it, over every word of `batch`, from the embedded
/// words and the state before the first. Each step does one product with all that multiplies h and one with the
/// context, of the rows that still have words; the rest is done for all words at once. Differentiable in the memory,
/// the words, the start and the decoder's weights. With `uniform` (N) words read locations drawn by these numbers
/// (sampled_locations), through which no gradient goes to alpha.
Sequence run_sequence(const Decoder& decoder, const DecoderMemory& memory, const EmbeddedWords& words,
                      const DecoderState& start, const TokenBatch& batch, const Tensor& uniform = {});

}  // namespace glimpse
