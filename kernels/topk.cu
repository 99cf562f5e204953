// The likeliest words of rows of logits, a block per row.
//
// log_softmax_topk: one pass makes the logarithm of the row's sum of exponentials and leaves the row in shared memory
// (where it is short enough). Then, k times, all threads look for the best word that comes after the last one chosen,
// in the order of falling logits and rising ids: nothing has to be marked as taken, and equal logits keep their order.
// With k a few, each search costs a fraction of the reading of the row.
//
// Bytes: rows V sizeof(T) read, rows k 12 written. Operations: about 10 an element and one exponential, and 2 k for the
// searches. A block per row, since there are few rows, one for each beam, and they are long. rank_of_target: one pass,
// rows V sizeof(T) read, a comparison an element.

#include "glimpse/kernels/topk.h"

#include <climits>

#include "glimpse/kernels/internal/log_sum.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;

/// A word and its logit. No word: index INT_MAX.
template <class A>
struct Candidate {
  A value = -std::numeric_limits<A>::infinity();
  int index = INT_MAX;

  /// Whether `other` is chosen before this one.
  __device__ __forceinline__ bool after(A other_value, int other_index) const {
    return other_value > value || (other_value == value && other_index < index);
  }
};

/// The first in the order of choice of all threads' candidates; the block's answer.
template <class A>
__device__ __forceinline__ Candidate<A> block_first(Candidate<A> c) {
  SHARED(A, values, [threads / warp_lanes]);
  SHARED(int, indices, [threads / warp_lanes]);
  const auto reduce = [&] {
#pragma unroll
    for (int offset = warp_lanes / 2; offset > 0; offset /= 2) {
      const A value = __shfl_xor_sync(all_lanes, c.value, offset);
      const int index = __shfl_xor_sync(all_lanes, c.index, offset);
      if (c.after(value, index)) {
        c.value = value;
        c.index = index;
      }
    }
  };
  reduce();
  if (lane_index() == 0) {
    values[warp_index()] = c.value;
    indices[warp_index()] = c.index;
  }
  __syncthreads();
  const int warp = lane_index() % static_cast<int>(threads / warp_lanes);
  c.value = values[warp];
  c.index = indices[warp];
  reduce();
  __syncthreads();  // the next search writes `values`
  return c;
}

__device__ __forceinline__ bool is_banned(int word, const std::int32_t* banned, std::int64_t count) {
  bool found = false;
  for (std::int64_t i = 0; i < count; ++i) found = found || banned[i] == word;
  return found;
}

/// logits (rows,V), value and index (rows,k). With `staged` the row lies in V elements of dynamic shared memory, where
/// every thread reads what it has written itself.
template <int Width, class T>
__global__ void __launch_bounds__(threads)
    log_softmax_topk_kernel(int v, std::int64_t k, bool staged, const T* logits, const std::int32_t* banned,
                            std::int64_t banned_count, double* value, std::int32_t* index) {
  using A = Accumulator<T>;
  DYNAMIC_SHARED(A, stage);
  const std::int64_t row = blockIdx.x;
  const T* x = logits + row * v;
  const int step = static_cast<int>(blockDim.x) * Width;
  RunningSum<A> seen;
  for (int at = static_cast<int>(threadIdx.x) * Width; at < v; at += step) {
    const Pack<T, Width> pack = load<Width>(x + at);
    seen.add(pack);
#pragma unroll
    for (int j = 0; j < Width; ++j)
      if (staged) stage[at + j] = widen(pack.v[j]);
  }
  const double log_sum = block_log_sum(seen);
  Candidate<A> last{std::numeric_limits<A>::infinity(), -1};
  for (std::int64_t i = 0; i < k; ++i) {
    Candidate<A> best;
    for (int at = static_cast<int>(threadIdx.x) * Width; at < v; at += step)
#pragma unroll
      for (int j = 0; j < Width; ++j) {
        const A logit = staged ? stage[at + j] : widen(x[at + j]);
        const bool left = logit < last.value || (logit == last.value && at + j > last.index);
        if (left && best.after(logit, at + j) && !is_banned(at + j, banned, banned_count)) best = {logit, at + j};
      }
    last = block_first(best);
    const bool found = last.index != INT_MAX;
    if (threadIdx.x == 0) {
      value[row * k + i] = found ? static_cast<double>(last.value) - log_sum : -std::numeric_limits<double>::infinity();
      index[row * k + i] = found ? last.index : -1;
    }
  }
}

/// logits (rows,V).
template <int Width, class T>
__global__ void __launch_bounds__(threads)
    rank_of_target_kernel(int v, const T* logits, const std::int32_t* target, std::int32_t* rank) {
  using A = Accumulator<T>;
  const T* x = logits + static_cast<std::int64_t>(blockIdx.x) * v;
  const int t = target[blockIdx.x];
  const A own = widen(x[t]);
  int before = 0;
#pragma unroll 4
  for (int at = static_cast<int>(threadIdx.x) * Width; at < v; at += static_cast<int>(blockDim.x) * Width) {
    const Pack<T, Width> pack = load<Width>(x + at);
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      const A logit = widen(pack.v[j]);
      before += logit > own || (logit == own && at + j < t) ? 1 : 0;
    }
  }
  before = block_sum(before);
  if (threadIdx.x == 0) rank[blockIdx.x] = before;
}

void check_vocabulary(const char* name, std::int64_t v) {
  if (v > INT_MAX - 4096) throw Error(std::string(name) + ": a vocabulary of " + std::to_string(v) + " words");
}

}  // namespace

template <class T>
void log_softmax_topk(Cuda device, const TopK<T>& call) {
  const std::int64_t rows = call.rows, vocabulary = call.vocabulary, k = call.k;
  if (rows == 0 || k == 0) return;
  check_vocabulary("log_softmax_topk", vocabulary);
  const std::size_t bytes = static_cast<std::size_t>(vocabulary) * sizeof(Accumulator<T>);
  const bool staged = bytes <= most_shared_unasked;
  dispatch_width<pack_width<T>>({{call.logits, vocabulary}}, [&]<int Width>() {
    launch(device, {"log_softmax_topk", {rows, vocabulary, k}, grid_size(rows), threads, staged ? bytes : 0},
           log_softmax_topk_kernel<Width, T>, static_cast<int>(vocabulary), k, staged, call.logits, call.banned,
           call.banned_count, call.value, call.index);
  });
}

template <class T>
void rank_of_target(Cuda device, std::int64_t rows, std::int64_t vocabulary, const T* logits,
                    const std::int32_t* target, std::int32_t* rank) {
  if (rows == 0) return;
  check_vocabulary("rank_of_target", vocabulary);
  dispatch_width<pack_width<T>>({{logits, vocabulary}}, [&]<int Width>() {
    launch(device, {"rank_of_target", {rows, vocabulary}, grid_size(rows), threads}, rank_of_target_kernel<Width, T>,
           static_cast<int>(vocabulary), logits, target, rank);
  });
}

GLIMPSE_TOPK_KERNELS(Cuda, float)
GLIMPSE_TOPK_KERNELS(Cuda, double)
GLIMPSE_TOPK_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
