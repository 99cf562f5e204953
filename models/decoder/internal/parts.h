#pragma once
// What the step-by-step decoder, the sequence loss and beam search share.

#include "glimpse/models/decoder/decoder.h"
#include "glimpse/models/decoder/internal/hard.h"

namespace glimpse {

/// The dropout masks of one batch, each element 0 or 1/(1-p); undefined: no dropout. Those of words stand in the packed
/// order of the batch, so that a word's mask does not depend on when it is computed.
struct DropoutMasks {
  Tensor initial = {};   ///< (B,H), of the hidden layer of the initial state
  Tensor h = {};         ///< (N,H), of the state before the output
  Tensor deep = {};      ///< (N,E), of the deep output's hidden layer
  Tensor features = {};  ///< (I,L,D), of the projected features
  Tensor words = {};     ///< (N,E), of the words that are read

  /// The masks of tokens [begin, end).
  DropoutMasks tokens(std::int64_t begin, std::int64_t end) const;
};

/// Draws the masks that `decoder` needs for `batch` and images of L = `locations`, always in the same order; none
/// without training or dropout.
DropoutMasks draw_masks(const Decoder& decoder, const TokenBatch& batch, std::int64_t locations, Generator& generator,
                        bool train);

/// x * mask, or x where there is none.
Tensor masked(const Tensor& x, const Tensor& mask);

/// Decoder::remember with dropout.
DecoderMemory memory_of(const Decoder& decoder, const Tensor& features, const DropoutMasks& masks);

/// Decoder::start with dropout, from the mean features (Q,D).
DecoderState start_state(const Decoder& decoder, const Tensor& average, const DropoutMasks& masks);

/// What the output layer multiplies, (R,H) or (R,E): h (R,H), the embedded words just read (R,E) and, with attention,
/// the gated context (R,D), of any R tokens.
Tensor output_input(const Decoder& decoder, const Tensor& h, const Tensor& embedded, const Tensor& context,
                    const DropoutMasks& masks);

/// One step of rows R = B q from the embedded words (R,E).
struct StepParts {
  DecoderState state;
  Tensor context;      ///< (R,D), gated; with a sentinel (R,H)
  Tensor alpha, beta;  ///< as in DecoderStep
  Tensor location;     ///< (R) i32, with hard attention, as `choose` has it
};
StepParts recurrent_step(const Decoder& decoder, const DecoderMemory& memory, const Tensor& embedded,
                         const DecoderState& state, const ChooseLocations& choose = {});

/// What the output layer reads for each word of a batch, and the attention before it.
struct OutputInput {
  Tensor input;     ///< (N,K)
  Tensor alpha;     ///< (N,L), undefined without attention
  Tensor location;  ///< (N), with hard attention
};
/// All words of a batch at once; `uniform` as in run_sequence.
OutputInput output_inputs(const Decoder& decoder, const Tensor& features, const TokenBatch& batch,
                          const DropoutMasks& masks, const Tensor& uniform = {});

/// Decoder::loss with what is drawn for it.
DecoderLoss sequence_loss(const Decoder& decoder, const Tensor& features, const TokenBatch& batch,
                          const DropoutMasks& masks, const LocationDraws& draws, const LossOptions& options);

/// Throws Error unless features are (B,L,C) with C = config.channels, B = batch (-1: any), L > 0, of the decoder's
/// type.
void check_features(const char* what, const Decoder& decoder, const Tensor& features, std::int64_t batch = -1);
/// The same of what Decoder::remember has made of features.
void check_memory(const char* what, const Decoder& decoder, const DecoderMemory& memory);

}  // namespace glimpse
