#include <algorithm>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/internal/rows_at.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/embedding.h"
#include "glimpse/models/decoder/decoder.h"
#include "glimpse/models/decoder/internal/output.h"
#include "glimpse/models/decoder/internal/parts.h"
#include "glimpse/models/decoder/internal/scheduled_sampling.h"
#include "glimpse/models/decoder/internal/sentinel.h"
#include "glimpse/models/decoder/internal/sequence.h"

namespace glimpse {
namespace {

/// The ops that take these indices do not look at them. On a GPU there is nothing to look at: what lies there was made
/// by make_token_batch.
void check_words(const TokenBatch& batch, std::int64_t vocabulary) {
  check(batch.least_vocabulary > 0, "decoder loss: the batch was not made by make_token_batch");
  check(batch.least_vocabulary <= vocabulary, "decoder loss: word {} is outside the vocabulary of {}",
        batch.least_vocabulary - 1, vocabulary);
  if (batch.inputs.device() != Device::cpu) return;
  for (const Tensor& words : {batch.inputs, batch.targets, batch.distinct})
    require_indices("decoder loss", "word", words, vocabulary);
  require_indices("decoder loss", "slot", batch.slot, batch.distinct.size(0));
  require_indices("decoder loss", "row", batch.row_of_token, batch.rows());
  require_indices("decoder loss", "state", batch.state_before, batch.rows() + batch.tokens());
  for (const Tensor& images : {batch.image_of_row, batch.image_of_token})
    if (images.defined()) require_indices("decoder loss", "image", images, batch.images());
}

void check_batch(const Decoder& decoder, const Tensor& features, const TokenBatch& batch, const LossOptions& options) {
  check(!batch.active.empty(), "decoder loss: the batch has no words");
  check_features("decoder loss", decoder, features, batch.images());
  check(options.doubly_stochastic >= 0, "decoder loss: doubly stochastic weight {} is negative",
        options.doubly_stochastic);
  check(options.sampling >= 0 && options.sampling <= 1, "decoder loss: sampling {} is outside [0,1]", options.sampling);
  check(options.reinforce >= 0 && options.entropy >= 0, "decoder loss: reinforce {} or entropy {} is negative",
        options.reinforce, options.entropy);
  check(options.scheduled_sampling >= 0 && options.scheduled_sampling <= 1,
        "decoder loss: scheduled sampling {} is outside [0,1]", options.scheduled_sampling);
  check(options.label_smoothing >= 0 && options.label_smoothing < 1,
        "decoder loss: label smoothing {} is outside [0,1)", options.label_smoothing);
  check(options.caption_weights.empty() || std::ssize(options.caption_weights) == batch.rows(),
        "decoder loss: {} weights for {} captions", options.caption_weights.size(), batch.rows());
  check_words(batch, decoder.config.vocabulary);
}

/// The sum over captions and locations of (1 - sum_t alpha)^2, from the attention each caption paid in all (B,L).
Tensor squared_misses(const Tensor& coverage) { return sum(square(1.0 - coverage)); }

/// What a batch's words came to, in its packed order.
struct Outcome {
  Tensor mean_cross_entropy;
  Tensor misses;  // undefined without attention
  std::int64_t locations;
  LocationOutcome drawn;  // with drawn locations
};

/// Puts the parts together as options.reduction says.
DecoderLoss reduce(const TokenBatch& batch, const LossOptions& options, const Outcome& outcome,
                   const LocationDraws& draws) {
  const auto or_own = [](std::int64_t given, std::int64_t own) { return static_cast<double>(given > 0 ? given : own); };
  const double rows = or_own(options.of_rows, batch.rows()), tokens = or_own(options.of_tokens, batch.tokens());
  const bool paper = options.reduction == Reduction::paper;
  DecoderLoss result;
  result.tokens = batch.tokens();
  result.cross_entropy = DeviceNumber(outcome.mean_cross_entropy);
  const double share = static_cast<double>(batch.tokens()) / (paper ? rows : tokens);
  result.total = share == 1 ? outcome.mean_cross_entropy : outcome.mean_cross_entropy * share;
  if (!outcome.misses.defined()) return result;
  const auto places = static_cast<double>(outcome.locations);
  result.attention_penalty = DeviceNumber(outcome.misses, static_cast<double>(batch.rows()) * places);
  if (options.doubly_stochastic > 0)
    result.total = result.total + outcome.misses * (options.doubly_stochastic / (paper ? rows : rows * places));
  if (draws.uniform.defined()) add_reinforce(outcome.drawn, draws, batch, 1 / (paper ? rows : tokens), options, result);
  return result;
}

/// The attention that each caption paid to each location in all its words: alpha (N,L) in packed order -> (B,L).
Tensor coverage_of(const Tensor& alpha, const TokenBatch& batch) {
  const Tensor& index = batch.row_of_token;
  const Tensor coverage({batch.rows(), alpha.size(1)}, alpha.dtype(), alpha.device());
  on(alpha, [&]<class T>(auto device) {
    kernels::sum_rows_by_index<T>(device, coverage.size(0), alpha.size(0), alpha.size(1), alpha.data<T>(),
                                  index.data<std::int32_t>(), coverage.data<T>());
  });
  return differentiable("coverage", coverage, {alpha}, [index](const Tensor& dy) { return rows_at(dy, index); });
}

/// Of each token (N) f64, from those of captions; undefined where there are none.
Tensor token_weights(const TokenBatch& batch, const LossOptions& options, Device device) {
  if (options.caption_weights.empty()) return {};
  std::vector<double> weights;
  for (const std::int64_t active : batch.active)
    for (std::int64_t row = 0; row < active; ++row) weights.push_back(options.caption_weights[batch.order[row]]);
  return from_vector(weights).to(device);
}

/// The mean over words of weight times cross-entropy, by plain ops.
Tensor weighted_cross_entropy(const Tensor& logits, const Tensor& targets, const Tensor& weights, double smoothing) {
  const std::int64_t n = logits.size(0), v = logits.size(1);
  const std::vector<std::int32_t> words = targets.to_vector<std::int32_t>();
  const std::vector<double> weight = weights.to_vector<double>();
  std::vector<double> share(static_cast<std::size_t>(n * v));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t w = 0; w < v; ++w)
      share[i * v + w] = -weight[i] / static_cast<double>(n) *
                         ((w == words[i] ? 1 - smoothing : 0) + smoothing / static_cast<double>(v));
  return sum(log_softmax(logits) * from_vector(share, {n, v}).to(logits.dtype()).to(logits.device()));
}

/// What belongs to the images, x (I,...) or undefined, for each row of the batch: (B,...).
Tensor image_rows(const Tensor& x, const TokenBatch& batch) {
  if (batch.image.empty() || !x.defined()) return x;
  return rows_at(x, batch.image_of_row);
}

/// Lists of whole numbers, one after the other.
Tensor joined(const std::vector<Tensor>& parts) {
  std::vector<std::int32_t> all;
  for (const Tensor& part : parts) {
    const std::vector<std::int32_t> numbers = part.to_vector<std::int32_t>();
    all.insert(all.end(), numbers.begin(), numbers.end());
  }
  return from_vector(all).to(parts.front().device());
}

/// x (m,...) with zero rows below, to (rows,...).
Tensor pad_rows(const Tensor& x, std::int64_t rows) {
  const std::int64_t missing = rows - x.size(0);
  return missing == 0 ? x : concat({x, zeros(x.shape().with(0, missing), x.dtype(), x.device())}, 0);
}

}  // namespace

OutputInput output_inputs(const Decoder& decoder, const Tensor& features, const TokenBatch& batch,
                          const DropoutMasks& masks, const Tensor& uniform) {
  const DecoderMemory memory = memory_of(decoder, features, masks);
  const DecoderState start = start_state(decoder, image_rows(mean(memory.features, 1), batch), masks);
  const Tensor distinct = rows_at(decoder.embedding.weight, batch.distinct);
  const bool each_word = decoder.config.deep_output() || masks.words.defined();
  const Tensor embedded = each_word ? masked(rows_at(distinct, batch.slot), masks.words) : Tensor();
  // Without dropout a word has the same vector wherever it is read.
  const EmbeddedWords words = masks.words.defined() ? EmbeddedWords{embedded, {}} : EmbeddedWords{distinct, batch.slot};
  const Sequence sequence = run_sequence(decoder, memory, words, start, batch, uniform);
  Tensor context = sequence.context, alpha = sequence.alpha;
  if (decoder.config.has_sentinel()) {
    const SentinelContext seen = sentinel_contexts(decoder, memory, words, start.h, sequence, batch);
    context = seen.context;
    alpha = seen.alpha;
  }
  return {output_input(decoder, sequence.h, embedded, context, masks), alpha, sequence.location};
}

DecoderLoss Decoder::loss_stepwise(const Tensor& features, const TokenBatch& captions, Generator& generator,
                                   const LossOptions& options) const {
  check_batch(*this, features, captions, options);
  const TokenBatch given = captions.to(features.device());
  const DropoutMasks masks = draw_masks(*this, given, features.size(1), generator, options.train);
  const LocationDraws draws = draw_locations(*this, given, generator, options);
  const TokenBatch batch = with_drawn_inputs(*this, features, given, masks, draws, generator, options);
  const DecoderMemory of_images = memory_of(*this, features, masks);
  const DecoderMemory memory{image_rows(of_images.features, batch), image_rows(of_images.keys, batch),
                             image_rows(of_images.image, batch)};
  DecoderState state = start_state(*this, mean(memory.features, 1), masks);
  std::vector<Tensor> logits, alphas, locations;
  Tensor coverage;
  for (std::size_t t = 0; t < batch.active.size(); ++t) {
    const std::int64_t rows = batch.active[t], begin = batch.offset[t], end = batch.offset[t + 1];
    const auto first = [rows](const Tensor& x) { return x.defined() ? x.rows(0, rows) : Tensor(); };
    const DecoderMemory seen{first(memory.features), first(memory.keys), first(memory.image)};
    const DropoutMasks here = masks.tokens(begin, end);
    const Tensor embedded = masked(embedding(batch.inputs.rows(begin, end)), here.words);
    const ChooseLocations draw = [&](const Tensor& alpha) {
      return sampled_locations(alpha, draws.uniform.rows(begin, end));
    };
    const StepParts parts = recurrent_step(*this, seen, embedded, {state.h.rows(0, rows), state.c.rows(0, rows)},
                                           draws.uniform.defined() ? draw : ChooseLocations());
    state = parts.state;
    logits.push_back(output_layer()(output_input(*this, state.h, embedded, parts.context, here)));
    if (!parts.alpha.defined()) continue;
    const Tensor paid = pad_rows(parts.alpha, batch.rows());
    coverage = coverage.defined() ? coverage + paid : paid;
    alphas.push_back(parts.alpha);
    locations.push_back(parts.location);
  }
  const Tensor all = concat(logits, 0);
  const Tensor weights = token_weights(batch, options, all.device());
  const Tensor mean_loss = weights.defined()
                               ? weighted_cross_entropy(all, batch.targets, weights, options.label_smoothing)
                               : glimpse::cross_entropy(all, batch.targets, no_ignore_index, options.label_smoothing);
  Outcome outcome{mean_loss, coverage.defined() ? squared_misses(coverage) : Tensor(), features.size(1), {}};
  if (draws.uniform.defined())
    outcome.drawn = {concat(alphas, 0), joined(locations), token_losses(all, batch.targets, options.label_smoothing)};
  DecoderLoss result = reduce(batch, options, outcome, draws);
  if (options.count_hits) result.hits = glimpse::count_hits(all, batch.targets);
  return result;
}

DecoderLoss Decoder::loss(const Tensor& features, const TokenBatch& captions, Generator& generator,
                          const LossOptions& options) const {
  check_batch(*this, features, captions, options);
  const TokenBatch given = captions.to(features.device());
  const DropoutMasks masks = draw_masks(*this, given, features.size(1), generator, options.train);
  const LocationDraws draws = draw_locations(*this, given, generator, options);
  const TokenBatch batch = with_drawn_inputs(*this, features, given, masks, draws, generator, options);
  return sequence_loss(*this, features, batch, masks, draws, options);
}

DecoderLoss sequence_loss(const Decoder& decoder, const Tensor& features, const TokenBatch& batch,
                          const DropoutMasks& masks, const LocationDraws& draws, const LossOptions& options) {
  const OutputInput seen = output_inputs(decoder, features, batch, masks, draws.uniform);
  const OutputLoss output = output_loss(
      decoder.output_layer(), seen.input,
      {batch.targets, token_weights(batch, options, seen.input.device()), options.label_smoothing}, options.count_hits);
  DecoderLoss result = reduce(batch, options,
                              {output.mean,
                               seen.alpha.defined() ? squared_misses(coverage_of(seen.alpha, batch)) : Tensor(),
                               features.size(1),
                               {seen.alpha, seen.location, output.losses}},
                              draws);
  result.hits = output.hits;
  return result;
}

std::vector<double> Decoder::log_probabilities(const Tensor& features, const TokenBatch& captions) const {
  const NoGrad no_grad;
  check_batch(*this, features, captions, {.doubly_stochastic = 0});
  const TokenBatch batch = captions.to(features.device());
  const OutputInput seen = output_inputs(*this, features, batch, {});
  const Linear layer = output_layer();
  const Tensor logits = linear(seen.input, layer.weight, layer.bias);
  const std::vector<double> losses = token_losses(logits, batch.targets).to_vector<double>();
  std::vector<double> result(captions.order.size(), 0);
  for (std::size_t t = 0; t < batch.active.size(); ++t)
    for (std::int64_t row = 0; row < batch.active[t]; ++row) result[batch.order[row]] -= losses[batch.offset[t] + row];
  return result;
}

}  // namespace glimpse
