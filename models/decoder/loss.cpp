#include <algorithm>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/embedding.h"
#include "glimpse/models/decoder/decoder.h"
#include "glimpse/models/decoder/internal/output.h"
#include "glimpse/models/decoder/internal/parts.h"
#include "glimpse/models/decoder/internal/sequence.h"

namespace glimpse {
namespace {

void check_batch(const Decoder& decoder, const Tensor& features, const TokenBatch& batch, const LossOptions& options) {
  check(!batch.active.empty(), "decoder loss: the batch has no words");
  check_features("decoder loss", decoder, features, batch.images());
  check(options.doubly_stochastic >= 0, "decoder loss: doubly stochastic weight {} is negative",
        options.doubly_stochastic);
  check(options.label_smoothing >= 0 && options.label_smoothing < 1,
        "decoder loss: label smoothing {} is outside [0,1)", options.label_smoothing);
  for (const std::int32_t word : batch.targets.to_vector<std::int32_t>())
    check(word < decoder.config.vocabulary, "decoder loss: word {} is outside the vocabulary of {}", word,
          decoder.config.vocabulary);
}

/// The sum over captions and locations of (1 - sum_t alpha)^2, from the attention each caption paid in all (B,L).
Tensor squared_misses(const Tensor& coverage) { return sum(square(1.0 - coverage)); }

/// Puts the parts together as options.reduction says. `misses` is undefined without attention.
DecoderLoss reduce(const TokenBatch& batch, const LossOptions& options, const Tensor& mean_cross_entropy,
                   const Tensor& misses, std::int64_t locations) {
  const double rows = static_cast<double>(batch.rows()), tokens = static_cast<double>(batch.tokens());
  const bool paper = options.reduction == Reduction::paper;
  DecoderLoss result;
  result.tokens = batch.tokens();
  result.cross_entropy = mean_cross_entropy.item();
  result.total = paper ? mean_cross_entropy * (tokens / rows) : mean_cross_entropy;
  if (!misses.defined()) return result;
  const double cells = rows * static_cast<double>(locations);
  result.attention_penalty = misses.item() / cells;
  if (options.doubly_stochastic > 0)
    result.total = result.total + misses * (options.doubly_stochastic / (paper ? rows : cells));
  return result;
}

/// The attention that each caption paid to each location in all its words: alpha (N,L) in packed order -> (B,L).
Tensor coverage_of(const Tensor& alpha, const TokenBatch& batch) {
  std::vector<std::int32_t> rows;
  for (const std::int64_t active : batch.active)
    for (std::int64_t row = 0; row < active; ++row) rows.push_back(static_cast<std::int32_t>(row));
  const Tensor index = from_vector(rows).to(alpha.device());
  const Tensor coverage({batch.rows(), alpha.size(1)}, alpha.dtype(), alpha.device());
  on(alpha, [&]<class T>(auto device) {
    kernels::sum_rows_by_index<T>(device, coverage.size(0), alpha.size(0), alpha.size(1), alpha.data<T>(),
                                  index.data<std::int32_t>(), coverage.data<T>());
  });
  return differentiable("coverage", coverage, {alpha}, [index](const Tensor& dy) { return gather_rows(dy, index); });
}

/// What belongs to the images, x (I,...), for each row of the batch: (B,...).
Tensor image_rows(const Tensor& x, const TokenBatch& batch) {
  if (batch.image.empty()) return x;
  const std::vector<std::int32_t> index(batch.image.begin(), batch.image.end());
  return gather_rows(x, from_vector(index).to(x.device()));
}

/// x (m,...) with zero rows below, to (rows,...).
Tensor pad_rows(const Tensor& x, std::int64_t rows) {
  const std::int64_t missing = rows - x.size(0);
  return missing == 0 ? x : concat({x, zeros(x.shape().with(0, missing), x.dtype(), x.device())}, 0);
}

}  // namespace

DecoderLoss Decoder::loss_stepwise(const Tensor& features, const TokenBatch& captions, Generator& generator,
                                   const LossOptions& options) const {
  check_batch(*this, features, captions, options);
  const TokenBatch batch = captions.to(features.device());
  const DropoutMasks masks = draw_masks(*this, batch, generator, options.train);
  const Tensor of_rows = image_rows(features, batch);
  const DecoderMemory memory = project_keys(of_rows);
  DecoderState state = start_state(*this, mean(of_rows, 1), masks);
  std::vector<Tensor> logits;
  Tensor coverage;
  for (std::size_t t = 0; t < batch.active.size(); ++t) {
    const std::int64_t rows = batch.active[t], begin = batch.offset[t], end = batch.offset[t + 1];
    const DecoderMemory seen{memory.features.rows(0, rows),
                             memory.keys.defined() ? memory.keys.rows(0, rows) : Tensor()};
    const Tensor embedded = embedding(batch.inputs.rows(begin, end));
    const StepParts parts = recurrent_step(*this, seen, embedded, {state.h.rows(0, rows), state.c.rows(0, rows)});
    state = parts.state;
    logits.push_back(output(output_input(*this, state.h, embedded, parts.context, masks.tokens(begin, end))));
    if (!parts.alpha.defined()) continue;
    const Tensor paid = pad_rows(parts.alpha, batch.rows());
    coverage = coverage.defined() ? coverage + paid : paid;
  }
  const Tensor all = concat(logits, 0);
  const Tensor mean_loss = glimpse::cross_entropy(all, batch.targets, no_ignore_index, options.label_smoothing);
  DecoderLoss result =
      reduce(batch, options, mean_loss, coverage.defined() ? squared_misses(coverage) : Tensor(), features.size(1));
  if (options.count_top5) result.top5_hits = glimpse::count_top5(all, batch.targets);
  return result;
}

DecoderLoss Decoder::loss(const Tensor& features, const TokenBatch& captions, Generator& generator,
                          const LossOptions& options) const {
  check_batch(*this, features, captions, options);
  const TokenBatch batch = captions.to(features.device());
  const DropoutMasks masks = draw_masks(*this, batch, generator, options.train);
  const DecoderMemory memory = project_keys(features);
  const Tensor distinct = embedding(batch.distinct);
  const Sequence sequence =
      run_sequence(*this, memory, distinct, start_state(*this, image_rows(mean(features, 1), batch), masks), batch);
  const Tensor embedded = config.deep_output() ? gather_rows(distinct, batch.slot) : Tensor();
  const Tensor input = output_input(*this, sequence.h, embedded, sequence.context, masks);
  const OutputLoss mean_loss = output_loss(output, input, batch.targets, options.label_smoothing, options.count_top5);
  const bool attends = sequence.alpha.defined();
  DecoderLoss result =
      reduce(batch, options, mean_loss.mean, attends ? squared_misses(coverage_of(sequence.alpha, batch)) : Tensor(),
             features.size(1));
  result.top5_hits = mean_loss.top5_hits;
  return result;
}

}  // namespace glimpse
