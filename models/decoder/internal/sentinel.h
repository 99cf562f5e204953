#pragma once
// Adaptive attention with a visual sentinel (Lu et al., "Knowing When to Look", arXiv 1612.01887, section 2.3): after
// the LSTM's step, the decoder attends to the cells of the image and to one row more, what its own memory offers.

#include "glimpse/models/decoder/decoder.h"
#include "glimpse/models/decoder/internal/attend.h"
#include "glimpse/models/decoder/internal/sequence.h"

namespace glimpse {

/// What the state after a step leads to, for R words.
struct SentinelContext {
  Tensor context;  ///< (R,H): beta s + (1 - beta) W c, eq. 13
  Tensor alpha;    ///< (R,L), of the cells; rows sum to 1 - beta
  Tensor beta;     ///< (R,1), share of the sentinel
};

/// s = sig(W_x x + W_h h_before) tanh(c), eq. 9 and 10: from W_x x (R,H), the state before and the cell after the step.
Tensor sentinel_of(const Decoder& decoder, const Tensor& gate_of_x, const Tensor& h_before, const Tensor& c);

/// Eq. 11-13 word for word: one softmax over the scores of L cells and the sentinel. Rows R = B q as in Decoder::step.
SentinelContext attend_with_sentinel(const Decoder& decoder, const DecoderMemory& memory, const Tensor& h,
                                     const Tensor& sentinel);

/// The same from a softmax over the cells alone, with the queries (R,A) it was made from: a further score z takes the
/// share sig(z - log sum e^score) of it.
SentinelContext add_sentinel(const Decoder& decoder, const Attended& cells, const Tensor& query,
                             const Tensor& sentinel);

/// attend_with_sentinel for all words of a batch at once, after run_sequence; h0 (B,H) is the state before the first.
SentinelContext sentinel_contexts(const Decoder& decoder, const DecoderMemory& memory, const EmbeddedWords& words,
                                  const Tensor& h0, const Sequence& sequence, const TokenBatch& batch);

}  // namespace glimpse
