#pragma once
// Captions drawn at random, word by word, from what the decoder thinks of each word.

#include <cstdint>
#include <vector>

#include "glimpse/engine/random.h"
#include "glimpse/models/decoder/decoder.h"

namespace glimpse {

struct SampleOptions {
  int samples = 5;      ///< captions an image
  int max_length = 31;  ///< words predicted at most, `<end>` included
};

struct SampledCaption {
  std::vector<std::int32_t> words;  ///< without `<start>` and `<end>`
  bool finished = true;             ///< false: cut at max_length
};

/// options.samples captions of each image, features (B,L,D), without gradient and without dropout. `<pad>` and
/// `<start>` are never drawn. The numbers come from `generator` in an order that depends on the captions alone. Throws
/// Error for samples or max_length below 1 and features that do not fit the decoder.
std::vector<std::vector<SampledCaption>> sample_captions(const Decoder& decoder, const Tensor& features,
                                                         Generator& generator, const SampleOptions& options = {});

}  // namespace glimpse
