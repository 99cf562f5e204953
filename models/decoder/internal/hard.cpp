#include "glimpse/models/decoder/internal/hard.h"

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/attention/locations.h"
#include "glimpse/kernels/topk.h"

namespace glimpse {

Tensor sampled_locations(const Tensor& alpha, const Tensor& uniform) {
  const Tensor location({alpha.size(0)}, DType::i32, alpha.device());
  on(alpha, [&]<class T>(auto device) {
    kernels::sample_locations<T>(device, alpha.size(0), alpha.size(1), alpha.data<T>(), uniform.data<T>(),
                                 location.data<std::int32_t>());
  });
  return location;
}

Tensor likeliest_locations(const Tensor& alpha) {
  const std::int64_t rows = alpha.size(0);
  const Tensor value({rows, 1}, DType::f64, alpha.device()), location({rows}, DType::i32, alpha.device());
  on(alpha, [&]<class T>(auto device) {
    kernels::log_softmax_topk<T>(device, {.rows = rows,
                                          .vocabulary = alpha.size(1),
                                          .k = 1,
                                          .logits = alpha.data<T>(),
                                          .value = value.data<double>(),
                                          .index = location.data<std::int32_t>()});
  });
  return location;
}

void mark_locations(const Tensor& location, double value, const Tensor& x) {
  on(x, [&]<class T>(auto device) {
    kernels::mark_locations<T>(device, x.size(0), x.size(1), location.data<std::int32_t>(), static_cast<T>(value),
                               x.data<T>());
  });
}

void read_locations(const Tensor& features, const Tensor& image, const Tensor& location, const Tensor& context) {
  on(context, [&]<class T>(auto device) {
    kernels::read_locations<T>(device, context.size(0), features.size(1), features.size(2), features.data<T>(),
                               image.data<std::int32_t>(), location.data<std::int32_t>(), context.data<T>());
  });
}

Tensor context_at(const Tensor& features, const Tensor& alpha, const Tensor& location) {
  const std::int64_t images = features.size(0), locations = features.size(1), channels = features.size(2);
  const std::int64_t rows = alpha.size(0), each = rows / images;
  const Tensor chosen = zeros_like(alpha), mean = full({rows, 1}, 1, alpha.dtype(), alpha.device());
  mark_locations(location, 1, chosen);
  mark_locations(location, 0, mean);  // keeps 1 in the rows without a location
  const Tensor weight = alpha * mean + chosen;
  return sum(weight.reshape({images, each, locations, 1}) * features.reshape({images, 1, locations, channels}), 2)
      .reshape({rows, channels});
}

LocationDraws draw_locations(const Decoder& decoder, const TokenBatch& batch, Generator& generator,
                             const LossOptions& options) {
  if (!options.train || decoder.config.attention != AttentionKind::hard) return {};
  const Tensor coins = empty({batch.rows()}, DType::f64), numbers = empty({batch.tokens()}, DType::f64);
  fill_uniform(coins, 0, 1, generator);
  fill_uniform(numbers, 0, 1, generator);
  LocationDraws draws;
  for (const double coin : coins.to_vector<double>()) draws.sampled.push_back(coin < options.sampling);
  for (std::int64_t t = 0; t < batch.steps(); ++t)
    for (std::int64_t row = 0; row < batch.active[t]; ++row)
      if (!draws.sampled[row]) numbers.data<double>()[batch.offset[t] + row] = -1;
  const Tensor& like = decoder.embedding.weight;
  draws.uniform = numbers.to(like.dtype()).to(like.device());
  return draws;
}

namespace {

/// log p of each caption (B).
std::vector<double> log_probabilities(const Tensor& losses, const TokenBatch& batch) {
  const std::vector<double> loss = losses.to_vector<double>();
  std::vector<double> result(static_cast<std::size_t>(batch.rows()));
  for (std::int64_t t = 0; t < batch.steps(); ++t)
    for (std::int64_t row = 0; row < batch.active[t]; ++row) result[row] -= loss[batch.offset[t] + row];
  return result;
}

}  // namespace

void add_reinforce(const LocationOutcome& outcome, const LocationDraws& draws, const TokenBatch& batch, double scale,
                   const LossOptions& options, DecoderLoss& loss) {
  const Tensor& alpha = outcome.alpha;
  const std::vector<double> log_p = log_probabilities(outcome.losses, batch);
  double log_p_sum = 0;
  for (std::size_t row = 0; row < log_p.size(); ++row) {
    log_p_sum += draws.sampled[row] ? log_p[row] : 0;
    loss.sampled_captions += draws.sampled[row];
  }
  if (loss.sampled_captions > 0) {
    loss.sampled_log_probability = log_p_sum / static_cast<double>(loss.sampled_captions);
    std::vector<double> factor(static_cast<std::size_t>(batch.tokens()));
    for (std::int64_t t = 0; t < batch.steps(); ++t)
      for (std::int64_t row = 0; row < batch.active[t]; ++row)
        if (draws.sampled[row])
          factor[batch.offset[t] + row] = scale * options.reinforce * (log_p[row] - options.baseline);
    const Tensor chosen = zeros_like(alpha), others = full({alpha.size(0), 1}, 1, alpha.dtype(), alpha.device());
    mark_locations(outcome.location, 1, chosen);
    mark_locations(outcome.location, 0, others);
    const Tensor log_p_of_location = log(sum(alpha * chosen, 1) + others.reshape({alpha.size(0)}));
    loss.total = loss.total - sum(log_p_of_location * from_vector(factor).to(alpha.dtype()).to(alpha.device()));
  }
  if (options.entropy == 0) return;
  constexpr double tiny = 1e-30;  // where alpha is 0, 0 log 0 is 0
  loss.total = loss.total + sum(alpha * log(alpha + tiny)) * (scale * options.entropy);
}

}  // namespace glimpse
