// CUDA kernels under ThreadSanitizer: one operating system thread per thread of the kernel, and the sanitizer knows of
// the ordering that barriers promise, and of no other. A small input of each family; results are proven by
// test_emulated.
//   race_check            runs the kernels: any race is reported, and the exit code is not 0
//   race_check --forget   runs a kernel that lacks a barrier, which must be reported
//   race_check --shuffle  runs a kernel that takes a shuffle for a barrier, which must be reported too

#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "glimpse/kernels/attention/attention.h"
#include "glimpse/kernels/batch_norm.h"
#include "glimpse/kernels/cross_entropy.h"
#include "glimpse/kernels/cuda/helpers.cuh"
#include "glimpse/kernels/embedding.h"
#include "glimpse/kernels/image_normalize.h"
#include "glimpse/kernels/layer_norm.h"
#include "glimpse/kernels/layout.h"
#include "glimpse/kernels/optimizer.h"
#include "glimpse/kernels/reduce.h"
#include "glimpse/kernels/softmax.h"
#include "glimpse/kernels/topk.h"

using namespace glimpse;
using namespace glimpse::kernels;

namespace {

__global__ void forgetful_kernel(float* y) {
  SHARED(float, x, [64]);
  x[threadIdx.x] = 1;
  y[threadIdx.x] = x[63 - threadIdx.x];
}

/// Lanes that exchange memory with nothing but a shuffle between: it orders no memory.
__global__ void shuffled_kernel(float* y) {
  SHARED(float, x, [32]);
  x[threadIdx.x] = 1;
  __shfl_xor_sync(all_lanes, 1, 1);
  y[threadIdx.x] = x[31 - threadIdx.x];
}

std::vector<float> numbers(std::int64_t n) {
  std::vector<float> x(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  return x;
}

void run_layer_norm() {
  std::vector<float> x = numbers(2 * 20 * 40), y(x.size()), scale(2 * 40);
  layer_norm_forward<float>(Cuda{}, {2, 20, 40, 800, 800, 1e-6, x.data(), nullptr, nullptr, y.data(), scale.data()});
  layer_norm_backward<float>(Cuda{}, 2, 20, 40, y.data(), scale.data(), x.data(), y.data());
}

void run_rows() {
  std::vector<float> x = numbers(2 * 1100), y(x.size()), dx(x.size());
  softmax_forward(Cuda{}, 2, 1100, x.data(), y.data());
  softmax_backward(Cuda{}, 2, 1100, y.data(), x.data(), dx.data());
  reduce_sum(Cuda{}, 1, 300, 7, 1.0, x.data(), y.data());
  reduce_sum(Cuda{}, 2, 1100, 1, 1.0, x.data(), y.data());
  std::vector<std::int32_t> target = {3, 1000}, rank(2), best(6);
  std::vector<double> log_sum(2), loss(2), value(6);
  const float dloss = 1;
  const CrossEntropyTargets targets{target.data(), -1, 0.1};
  cross_entropy_forward(Cuda{}, 2, 1100, x.data(), targets, log_sum.data(), loss.data());
  cross_entropy_backward<float>(Cuda{}, {2, 1100, x.data(), targets, log_sum.data(), 1.0, &dloss, dx.data()});
  log_softmax_topk<float>(Cuda{}, {2, 1100, 3, x.data(), target.data(), 1, value.data(), best.data()});
  rank_of_target(Cuda{}, 2, 1100, x.data(), target.data(), rank.data());
}

void run_indexed() {
  const std::vector<float> x = numbers(300 * 8);
  std::vector<float> y(x.size()), table(5 * 8);
  std::vector<std::int32_t> index(300);
  for (std::size_t i = 0; i < index.size(); ++i) index[i] = static_cast<std::int32_t>(i < 4 ? 0 : 1);
  sum_rows_by_index(Cuda{}, 5, 6, 8, x.data(), index.data(), table.data());
  StridedView view{2, {40, 33}, {1, 40}};
  permute(Cuda{}, view, x.data(), y.data());
}

void run_attention() {
  const std::int64_t l = 40, a = 8, d = 12;
  const std::vector<float> keys = numbers(l * a), features = numbers(l * d), score = numbers(a), query = numbers(a),
                           dcontext = numbers(d);
  std::vector<float> alpha(40), context(12), descore(40), dquery(8), dkeys(keys.size()), dscore(8),
      dfeatures(features.size());
  const AttentionShape shape{1, l, a, d};
  const AttentionInputs<float> in{Activation::tanh, keys.data(), features.data(), score.data(), query.data(), a};
  attention_forward(Cuda{}, shape, in, alpha.data(), context.data());
  attention_backward(Cuda{}, shape, in, {alpha.data(), dcontext.data(), nullptr, descore.data(), dquery.data(), a});
  attention_backward_keys(Cuda{}, shape, in, descore.data(), dkeys.data(), dscore.data(), static_cast<float*>(nullptr));
  attention_backward_features(Cuda{}, shape, alpha.data(), dcontext.data(), dfeatures.data());
}

void run_images() {
  const BatchNormShape shape{2, 2, 10};
  const std::vector<float> x = numbers(40);
  std::vector<float> mean(2), variance(2), weight(2, 1.0f), dweight(2), dbias(2), y(40);
  batch_norm_statistics(Cuda{}, shape, x.data(), mean.data(), variance.data());
  batch_norm_backward<float>(Cuda{}, shape, {1e-5, x.data(), mean.data(), variance.data(), weight.data()}, x.data(),
                             {y.data(), dweight.data(), dbias.data()});
  const std::vector<std::uint8_t> rgb(3 * 8, 100);
  image_normalize(Cuda{}, 1, 8, {{0, 0, 0}, {1, 1, 1}}, rgb.data(), y.data());
}

void run_optimizer() {
  std::vector<float> g = numbers(16384 + 300);
  g[16384 + 7] = std::numeric_limits<float>::quiet_NaN();
  StepDecision decision;
  decide_step<float>(Cuda{}, std::ssize(g), {0.5, 2, 0.1, 0.9, 0.999}, g.data(), &decision);
}

}  // namespace

int main(int argc, char** argv) {
  emulator::options().system_threads = true;
  emulator::options().any_memory = true;
  std::vector<float> y(64);
  if (argc > 1 && std::strcmp(argv[1], "--forget") == 0) {
    launch(Cuda{}, {"forgetful_kernel", {}, 1, 64}, forgetful_kernel, y.data());
  } else if (argc > 1 && std::strcmp(argv[1], "--shuffle") == 0) {
    launch(Cuda{}, {"shuffled_kernel", {}, 1, 32}, shuffled_kernel, y.data());
  } else {
    run_rows();
    run_layer_norm();
    run_indexed();
    run_attention();
    run_images();
    run_optimizer();
  }
  std::puts("done");
}
