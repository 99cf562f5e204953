// Cross-entropy of softmax(logits) against target words, a block per row.
//
// Forward: one pass over the row. Every thread keeps the largest logit that it has met and the sum of exponentials less
// that maximum, which it scales down whenever the maximum grows (Milakov & Gimelshein, arXiv 1805.02867); the block
// then combines the threads' maxima and, in double, their sums. Backward: one more pass, which may write over the
// logits; an ignored row is written as zeros without being read.
//
// Bytes: forward N V sizeof(T), backward 2 N V sizeof(T). Operations: about 10 per element with one exponential, so
// memory is the limit. Rows are vocabularies, thousands of words long: a block of 256 has enough loads under way for
// one, and there are more rows (the words of a batch) than fit the GPU at once.

#include "glimpse/kernels/cross_entropy.h"

#include "glimpse/kernels/internal/log_sum.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;

/// logits (N,V), a block per row. `Width` elements are read at once.
template <int Width, class T>
__global__ void __launch_bounds__(threads)
    cross_entropy_forward_kernel(std::int64_t v, const T* logits, CrossEntropyTargets targets, double* log_sum_exp,
                                 double* loss) {
  const std::int64_t row = blockIdx.x;
  const std::int32_t target = targets.target[row];
  if (target == targets.ignore_index) {
    if (threadIdx.x == 0) loss[row] = log_sum_exp[row] = 0;
    return;
  }
  const bool smooth = targets.smoothing > 0;
  const T* x = logits + row * v;
  RunningSum<Accumulator<T>> seen;
  for (const std::int64_t p : block_stride(v / Width)) seen.add(load<Width>(x + p * Width), smooth);
  const double log_sum = block_log_sum(seen);
  const double total = smooth ? block_sum(seen.total) : 0;
  if (threadIdx.x != 0) return;
  if (isinf(log_sum) && log_sum < 0) {  // no word has any probability
    log_sum_exp[row] = 0;
    loss[row] = std::numeric_limits<double>::infinity();
    return;
  }
  double expected = (1 - targets.smoothing) * static_cast<double>(widen(x[target]));  // of the logit under q
  if (smooth) expected += targets.smoothing / static_cast<double>(v) * total;
  log_sum_exp[row] = log_sum;
  loss[row] = log_sum - expected;
}

/// dlogits (N,V), a block per row.
template <int Width, class T>
__global__ void __launch_bounds__(threads)
    cross_entropy_backward_kernel(std::int64_t v, const T* logits, CrossEntropyTargets targets,
                                  const double* log_sum_exp, double scale, const T* dloss, T* dlogits) {
  using A = Accumulator<T>;
  const std::int64_t row = blockIdx.x;
  const std::int32_t target = targets.target[row];
  const bool ignored = target == targets.ignore_index;
  const double factor = scale * static_cast<double>(widen(dloss[0]));
  // x - log_sum_exp in two steps keeps the digits that a float log_sum_exp would drop.
  const A high = static_cast<A>(log_sum_exp[row]);
  const A low = static_cast<A>(log_sum_exp[row] - static_cast<double>(high));
  const A slope = static_cast<A>(factor), floor = static_cast<A>(factor * targets.smoothing / static_cast<double>(v));
  const A own = static_cast<A>(factor * (1 - targets.smoothing));
  for (const std::int64_t p : block_stride(v / Width)) {
    const std::int64_t at = row * v + p * Width;
    Pack<T, Width> pack;
    if (!ignored) pack = load<Width>(logits + at);
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      A d = 0;
      if (!ignored) d = slope * exp((widen(pack.v[j]) - high) - low) - floor;
      if (!ignored && p * Width + j == target) d -= own;
      pack.v[j] = narrow<T>(d);
    }
    store(dlogits + at, pack);
  }
}

}  // namespace

template <class T>
void cross_entropy_forward(Cuda device, std::int64_t n, std::int64_t v, const T* logits, CrossEntropyTargets targets,
                           double* log_sum_exp, double* loss) {
  if (n == 0) return;
  dispatch_width<pack_width<T>>({{logits, v}}, [&]<int Width>() {
    launch(device, {"cross_entropy_forward", {n, v}, grid_size(n), threads}, cross_entropy_forward_kernel<Width, T>, v,
           logits, targets, log_sum_exp, loss);
  });
}

template <class T>
void cross_entropy_backward(Cuda device, const CrossEntropyBackward<T>& call) {
  const std::int64_t n = call.n, v = call.v;
  if (n == 0) return;
  dispatch_width<pack_width<T>>({{call.logits, v}, {call.dlogits, v}}, [&]<int Width>() {
    launch(device, {"cross_entropy_backward", {n, v}, grid_size(n), threads}, cross_entropy_backward_kernel<Width, T>,
           v, call.logits, call.targets, call.log_sum_exp, call.scale, call.dloss, call.dlogits);
  });
}

GLIMPSE_CROSS_ENTROPY_KERNELS(Cuda, float)
GLIMPSE_CROSS_ENTROPY_KERNELS(Cuda, double)
GLIMPSE_CROSS_ENTROPY_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
