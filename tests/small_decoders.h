#pragma once
// Decoders of a few weights, for tests of the searches.

#include <cstdint>
#include <set>
#include <vector>

#include "glimpse/engine/words.h"
#include "glimpse/models/search/beam.h"

namespace glimpse {

inline constexpr std::int64_t channels = 6, locations = 5;

/// A few units of each kind, with weights large enough that every nonlinearity is used.
inline Decoder make_decoder(DecoderConfig config, DType dtype = DType::f64) {
  config.embedding = 4;
  config.attention_size = 5;
  config.hidden = 4;
  Generator generator(9);
  Decoder decoder(config, generator);
  for (const NamedTensor& p : named_tensors(decoder)) fill_normal(p.tensor, 0, 0.8, generator);
  convert(decoder, dtype);
  return decoder;
}

/// With `projected`, a decoder of projected features and tied weights.
inline Decoder make_decoder(std::int64_t vocabulary, bool paper, DType dtype = DType::f64, bool projected = false) {
  DecoderConfig config = paper ? paper_decoder(vocabulary, channels) : tutorial_decoder(vocabulary, channels);
  if (projected) config.projection = 7;
  config.tied = projected;
  return make_decoder(config, dtype);
}

inline void favour_end(const Decoder& decoder, double by) { decoder.output.bias.data<double>()[end_word] += by; }

inline Tensor make_features(std::int64_t images, DType dtype = DType::f64) {
  Generator generator(21);
  const Tensor x = empty({images, locations, channels}, dtype);
  fill_normal(x, 0, 1.5, generator);
  return x;
}

/// log p of `words` (with <end> or without) given one image, by step().
inline double log_probability(const Decoder& decoder, const Tensor& features, const std::vector<std::int32_t>& words) {
  const DecoderMemory memory = decoder.remember(features);
  DecoderState state = decoder.start(memory);
  double total = 0;
  std::int32_t read = start_word;
  for (const std::int32_t word : words) {
    const DecoderStep step = decoder.step(memory, from_vector(std::vector<std::int32_t>{read}), state);
    total += log_softmax(step.logits).to_vector<double>()[word];
    state = step.state;
    read = word;
  }
  return total;
}

inline std::vector<std::int32_t> with_end(const Caption& caption) {
  std::vector<std::int32_t> words = caption.words;
  if (caption.finished) words.push_back(end_word);
  return words;
}

/// Whether n words stand twice in the same order.
inline bool repeats(const std::vector<std::int32_t>& words, std::size_t n) {
  std::set<std::vector<std::int32_t>> seen;
  for (std::size_t i = 0; i + n <= words.size(); ++i)
    if (!seen.insert(std::vector<std::int32_t>(words.begin() + static_cast<std::ptrdiff_t>(i),
                                               words.begin() + static_cast<std::ptrdiff_t>(i + n)))
             .second)
      return true;
  return false;
}

}  // namespace glimpse
