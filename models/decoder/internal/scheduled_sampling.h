#pragma once
// Scheduled sampling (Bengio et al., arXiv 1506.03099): in training, some of the words that the decoder reads are not
// the true ones but drawn from what it thinks itself, as they will be when it writes. In two passes (Mihaylova &
// Martins, arXiv 1906.07651, 3): the first reads the true words and gives the probabilities of each next word; what is
// drawn from them stands among the inputs of the second, which is the loss. So both run over all words at once. Where
// the word before was drawn too, the first pass does not know it: that is the price.

#include "glimpse/models/decoder/decoder.h"
#include "glimpse/models/decoder/internal/hard.h"
#include "glimpse/models/decoder/internal/parts.h"

namespace glimpse {

/// The batch, on the decoder's device, with each input but `<start>` replaced with probability
/// options.scheduled_sampling by a word that the decoder, with the same dropout and drawn locations as in the loss,
/// draws at its place; never `<pad>`, `<start>` or `<end>`, after which no word is read. Without such a probability,
/// and when not in training, the batch itself, and nothing is drawn from `generator`. No gradient.
TokenBatch with_drawn_inputs(const Decoder& decoder, const Tensor& features, const TokenBatch& batch,
                             const DropoutMasks& masks, const LocationDraws& draws, Generator& generator,
                             const LossOptions& options);

}  // namespace glimpse
