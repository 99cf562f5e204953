#include "glimpse/models/decoder/internal/scheduled_sampling.h"

#include <limits>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/internal/rows_at.h"
#include "glimpse/engine/words.h"

namespace glimpse {
namespace {

/// A token whose input is drawn, and the one before it in its caption, which predicts that word.
struct Place {
  std::int64_t token, before;
};

/// Where the coins (N) fall so.
std::vector<Place> places_of(const TokenBatch& batch, const std::vector<double>& coins, double probability) {
  std::vector<Place> places;
  for (std::int64_t t = 1; t < batch.steps(); ++t)
    for (std::int64_t row = 0; row < batch.active[t]; ++row)
      if (coins[batch.offset[t] + row] < probability)
        places.push_back({batch.offset[t] + row, batch.offset[t - 1] + row});
  return places;
}

/// 0 for the words (V) that may be read, -inf for the others.
Tensor readable_words(const Tensor& like, std::int64_t vocabulary) {
  std::vector<double> mask(static_cast<std::size_t>(vocabulary), 0);
  for (const std::int32_t word : {pad_word, start_word, end_word})
    if (word < vocabulary) mask[word] = -std::numeric_limits<double>::infinity();
  return from_vector(mask).to(like.dtype()).to(like.device());
}

}  // namespace

TokenBatch with_drawn_inputs(const Decoder& decoder, const Tensor& features, const TokenBatch& batch,
                             const DropoutMasks& masks, const LocationDraws& draws, Generator& generator,
                             const LossOptions& options) {
  if (!options.train || options.scheduled_sampling == 0) return batch;
  const NoGrad no_grad;
  const Tensor coins = empty({batch.tokens()}, DType::f64), numbers = empty({batch.tokens()}, DType::f64);
  fill_uniform(coins, 0, 1, generator);
  fill_uniform(numbers, 0, 1, generator);
  const std::vector<Place> places = places_of(batch, coins.to_vector<double>(), options.scheduled_sampling);
  if (places.empty()) return batch;
  std::vector<std::int32_t> before;
  std::vector<double> uniform;
  for (const Place& place : places) {
    before.push_back(static_cast<std::int32_t>(place.before));
    uniform.push_back(numbers.data<double>()[place.token]);
  }
  const Tensor seen = output_inputs(decoder, features, batch, masks, draws.uniform).input;
  const Linear layer = decoder.output_layer();
  const Tensor logits = linear(rows_at(seen, from_vector(before).to(seen.device())), layer.weight, layer.bias);
  const Tensor probabilities = softmax(logits + readable_words(logits, logits.size(1)));
  const std::vector<std::int32_t> drawn =
      sampled_locations(probabilities, from_vector(uniform).to(seen.dtype()).to(seen.device()))
          .to_vector<std::int32_t>();
  std::vector<std::int32_t> inputs = batch.inputs.to_vector<std::int32_t>();
  for (std::size_t i = 0; i < places.size(); ++i)
    if (drawn[i] >= 0) inputs[places[i].token] = drawn[i];  // else no word may be read
  return with_inputs(batch, inputs);
}

}  // namespace glimpse
