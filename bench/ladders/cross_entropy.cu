// Cross-entropy and its gradient, from stored log-probabilities to the shipped kernels.
// Bytes: 3 N V 4 at least: the logits are read for the loss, and once more for the gradient, which is written.
// Operations: about 20 an element.

#include "glimpse/kernels/cross_entropy.h"

#include "glimpse/kernels/cuda/helpers.cuh"
#include "ladder.h"

namespace glimpse::bench {
namespace {

using namespace kernels;

constexpr unsigned threads = 256;
constexpr float lowest = -std::numeric_limits<float>::infinity();

/// log softmax of logits (N,V), a block per row.
__global__ void __launch_bounds__(threads) log_probabilities_kernel(std::int64_t v, const float* logits, float* log_p) {
  const std::int64_t row = blockIdx.x * v;
  float top = lowest, sum = 0;
  for (const std::int64_t i : block_stride(v)) top = MaxOf{}(logits[row + i], top);
  top = block_max(top);
  for (const std::int64_t i : block_stride(v)) sum += exp(logits[row + i] - top);
  sum = log(block_sum(sum));
  for (const std::int64_t i : block_stride(v)) log_p[row + i] = (logits[row + i] - top) - sum;
}

__global__ void pick_loss_kernel(std::int64_t n, std::int64_t v, const float* log_p, const std::int32_t* target,
                                 double* loss) {
  for (const std::int64_t row : grid_stride(n)) loss[row] = static_cast<double>(-log_p[row * v + target[row]]);
}

/// dlogits (N,V) = scale (e^log_p - onehot).
__global__ void gradient_kernel(std::int64_t n, std::int64_t v, const float* log_p, const std::int32_t* target,
                                float scale, float* dlogits) {
  for (const std::int64_t p : grid_stride(n * v))
    dlogits[p] = scale * (exp(log_p[p]) - (p % v == target[p / v] ? 1.0f : 0.0f));
}

__global__ void __launch_bounds__(threads)
    loss_two_passes_kernel(std::int64_t v, const float* logits, const std::int32_t* target, double* log_sum,
                           double* loss) {
  const std::int64_t row = blockIdx.x * v;
  float top = lowest, sum = 0;
  for (const std::int64_t i : block_stride(v)) top = MaxOf{}(logits[row + i], top);
  top = block_max(top);
  for (const std::int64_t i : block_stride(v)) sum += exp(logits[row + i] - top);
  sum = block_sum(sum);
  if (threadIdx.x != 0) return;
  log_sum[blockIdx.x] = static_cast<double>(top) + log(static_cast<double>(sum));
  loss[blockIdx.x] = log_sum[blockIdx.x] - static_cast<double>(logits[row + target[blockIdx.x]]);
}

__global__ void __launch_bounds__(threads)
    loss_one_pass_kernel(std::int64_t v, const float* logits, const std::int32_t* target, double* log_sum,
                         double* loss) {
  const std::int64_t row = blockIdx.x * v;
  float own = lowest, sum = 0;
  for (const std::int64_t i : block_stride(v)) {
    const float higher = MaxOf{}(logits[row + i], own);
    sum = sum * exp(own - higher) + exp(logits[row + i] - higher);
    own = higher;
  }
  const float top = block_max(own);
  sum = block_sum(sum == 0.0f ? 0.0f : sum * exp(own - top));  // a thread that has seen nothing has no maximum
  if (threadIdx.x != 0) return;
  log_sum[blockIdx.x] = static_cast<double>(top) + log(static_cast<double>(sum));
  loss[blockIdx.x] = log_sum[blockIdx.x] - static_cast<double>(logits[row + target[blockIdx.x]]);
}

/// From the logits and what the loss kernels keep of each row.
__global__ void __launch_bounds__(threads)
    gradient_from_logits_kernel(std::int64_t v, const float* logits, const std::int32_t* target, const double* log_sum,
                                float scale, float* dlogits) {
  const std::int64_t row = blockIdx.x * v, own = target[blockIdx.x];
  const auto shift = static_cast<float>(log_sum[blockIdx.x]);
  for (const std::int64_t i : block_stride(v))
    dlogits[row + i] = scale * (exp(logits[row + i] - shift) - (i == own ? 1.0f : 0.0f));
}

}  // namespace

Ladder make_ladder(Cuda device, bool small, const Rotation& rotation) {
  const std::int64_t n = small ? 5 : 3020, v = small ? 300 : 9504, all = n * v;
  const float scale = 1.0f / static_cast<float>(n);
  const Cost cost{3.0 * static_cast<double>(all) * sizeof(float), 20.0 * static_cast<double>(all)};
  const Lab lab(device, cost, rotation);
  const auto host = draw<float>(all, 1, 2);
  const auto host_target = draw_words(n, v, 2);
  const auto logits = lab.input(host), log_p = lab.output<float>(all), dlogits = lab.output<float>(all),
             one = lab.shared_input(std::vector<float>{1.0f});
  const auto target = lab.shared_input(host_target);
  const auto log_sum = lab.output<double>(n), loss = lab.output<double>(n);
  const LaunchSizes sizes{n, v};
  const Launch rows{"cross-entropy, a block per row", sizes, grid_size(n), threads};
  const auto gradient = [=](int s) {
    launch(device, rows, gradient_from_logits_kernel, v, logits[s], target[0], log_sum[s], scale, dlogits[s]);
  };

  Ladder ladder{"cross-entropy and gradient of " + std::to_string(n) + " words of " + std::to_string(v) + ", f32",
                cost,
                lab.sets(),
                [=] {
                  spoil(device, loss, n);
                  spoil(device, log_sum, n);
                  spoil(device, log_p, all);
                  spoil(device, dlogits, all);
                },
                [=] {
                  auto true_sum = zeros(n), true_loss = zeros(n), true_gradient = zeros(all);
                  const auto wide = widened(host);
                  const CrossEntropyTargets targets{host_target.data(), -1, 0};
                  const double dloss = 1;
                  cross_entropy_forward(Cpu{}, n, v, wide.data(), targets, true_sum.data(), true_loss.data());
                  cross_entropy_backward<double>(Cpu{}, {n, v, wide.data(), targets, true_sum.data(),
                                                         static_cast<double>(scale), &dloss, true_gradient.data()});
                  return std::max(loss.error(true_loss), dlogits.error(true_gradient));
                },
                {}};
  ladder.rungs = {
      {"stored probabilities",
       "Log-softmax of all words is written, then the loss picked from it and the gradient made.",
       [=](int s) {
         launch(device, rows, log_probabilities_kernel, v, logits[s], log_p[s]);
         launch(device, {"pick loss", sizes, grid_for(n, threads), threads}, pick_loss_kernel, n, v, log_p[s],
                target[0], loss[s]);
         launch(device, {"gradient", sizes, grid_for(all, threads), threads}, gradient_kernel, n, v, log_p[s],
                target[0], scale, dlogits[s]);
       }},
      {"a number a row",
       "Only the logarithm of each row's sum is kept; the gradient makes probabilities from the logits.",
       [=](int s) {
         launch(device, rows, loss_two_passes_kernel, v, logits[s], target[0], log_sum[s], loss[s]);
         gradient(s);
       }},
      {"one pass", "Maximum and sum together, the sum scaled when the maximum grows: the loss reads the logits once.",
       [=](int s) {
         launch(device, rows, loss_one_pass_kernel, v, logits[s], target[0], log_sum[s], loss[s]);
         gradient(s);
       }},
      {"shipped", "16 bytes at a time, and fewer exponentials: the sum is scaled once for four numbers at most.",
       [=](int s) {
         const CrossEntropyTargets targets{target[0], -1, 0};
         cross_entropy_forward(device, n, v, logits[s], targets, log_sum[s], loss[s]);
         cross_entropy_backward<float>(
             device, {n, v, logits[s], targets, log_sum[s], static_cast<double>(scale), one[0], dlogits[s]});
       }}};
  return ladder;
}

}  // namespace glimpse::bench
