#include "glimpse/models/decoder/internal/output.h"

#include <algorithm>
#include <vector>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/cross_entropy.h"
#include "glimpse/kernels/reduce.h"
#include "glimpse/kernels/topk.h"

namespace glimpse {

Hits count_hits(const Tensor& logits, const Tensor& targets) {
  const std::int64_t n = logits.size(0), v = logits.size(1);
  const Tensor rank({n}, DType::i32, logits.device());
  on(logits, [&]<class T>(auto device) {
    kernels::rank_of_target<T>(device, n, v, logits.data<T>(), targets.data<std::int32_t>(), rank.data<std::int32_t>());
  });
  const std::vector<std::int32_t> ranks = rank.to_vector<std::int32_t>();
  return {std::count(ranks.begin(), ranks.end(), 0),
          std::count_if(ranks.begin(), ranks.end(), [](std::int32_t r) { return r < 5; })};
}

Tensor token_losses(const Tensor& logits, const Tensor& targets, double label_smoothing) {
  const std::int64_t n = logits.size(0);
  const Tensor log_sum_exp({n}, DType::f64, logits.device()), losses({n}, DType::f64, logits.device());
  on(logits, [&]<class T>(auto device) {
    kernels::cross_entropy_forward<T>(device, n, logits.size(1), logits.data<T>(),
                                      {targets.data<std::int32_t>(), no_ignore_index, label_smoothing},
                                      log_sum_exp.data<double>(), losses.data<double>());
  });
  return losses;
}

OutputLoss output_loss(const Linear& layer, const Tensor& x, const OutputTargets& targets, bool count) {
  const Tensor logits = linear(x.detach(), layer.weight.detach(), layer.bias.detach());
  OutputLoss result;
  if (count) result.hits = count_hits(logits, targets.words);

  const std::int64_t n = logits.size(0), v = logits.size(1);
  const double scale = 1 / static_cast<double>(n);
  const kernels::CrossEntropyTargets wanted{targets.words.data<std::int32_t>(), no_ignore_index,
                                            targets.label_smoothing};
  const Tensor log_sum_exp({n}, DType::f64, logits.device()), losses({n}, DType::f64, logits.device());
  const Tensor total({}, DType::f64, logits.device());
  on(logits, [&]<class T>(auto device) {
    kernels::cross_entropy_forward<T>(device, n, v, logits.data<T>(), wanted, log_sum_exp.data<double>(),
                                      losses.data<double>());
    if (targets.weights.defined()) losses.copy_from(losses * targets.weights);
    kernels::reduce_sum(device, 1, n, 1, scale, losses.data<double>(), total.data<double>());
  });
  const auto backward = [=, x = x.detach(), weight = layer.weight.detach(), kept = targets.words,
                         weights = targets.weights](const Tensor& dy) -> Gradients {
    on(logits, [&]<class T>(auto device) {
      kernels::cross_entropy_backward<T>(device, {.n = n,
                                                  .v = v,
                                                  .logits = logits.data<T>(),
                                                  .targets = wanted,
                                                  .log_sum_exp = log_sum_exp.data<double>(),
                                                  .scale = scale,
                                                  .dloss = dy.data<T>(),
                                                  .dlogits = logits.data<T>()});
    });
    if (weights.defined()) logits.copy_from(logits * weights.to(logits.dtype()).reshape({n, 1}));
    return {matmul(logits, weight), matmul(logits, x, true, false), sum(logits, 0)};
  };
  result.losses = losses;
  result.mean = differentiable("output_loss", total.to(logits.dtype()), {x, layer.weight, layer.bias}, backward);
  return result;
}

}  // namespace glimpse
