// Optimizer updates over flat buffers: clip, update and zero the gradient, for all parameters of a model in one launch.
// The update of one element is the CPU's (optimizer_update.h); a thread applies it to 16 bytes of each buffer at a time
// and goes on by grid strides.
//
// Bytes per element: Adam 4 arrays in, 4 out, 32 in f32, and 2 for a copy in bf16; SGD with momentum 24, RMSProp with
// momentum 32. Operations: about 20 with a square root and a division, so memory is the limit. Each thread reads the 64
// bytes of the decision and makes its constants of them.
//
// move_average: 2 arrays in, 1 out, 12 bytes per element in f32, and 3 operations.
//
// decide_step: parts of 16384 elements are summed in double by a block each, and the parts by one block, which decides;
// so the order depends on n alone. n sizeof(T) bytes, and no wait of the host.

#include "glimpse/kernels/optimizer.h"

#include <type_traits>

#include "glimpse/kernels/cuda/helpers.cuh"
#include "glimpse/kernels/optimizer_update.h"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;
constexpr std::int64_t part = 16384;

/// g (n) = 0; the first `packs` packs can be written at once.
template <class T>
__device__ __forceinline__ void zero(std::int64_t packs, std::int64_t n, T* g) {
  constexpr int width = pack_width<T>;
  for (const std::int64_t i : grid_stride(packs)) store(g + i * width, Pack<T, width>{});
  for (const std::int64_t i : grid_stride(n - packs * width)) g[packs * width + i] = 0;
}

/// update(p[i], g[i], moments[i]...) for i < n with the Update that step and decision make; the first `packs` packs can
/// be read at once. If Copies, the new parameters also go to `copy`.
template <bool Copies, class Update, class Step, class T, class... Moments>
__global__ void __launch_bounds__(threads, 4)
    update_kernel(Step step, const StepDecision* decision, std::int64_t packs, std::int64_t n, T* p, T* g, bf16* copy,
                  Moments*... moments) {
  if (decision->bad >= 0) {
    zero(packs, n, g);
    return;
  }
  const Update update(step, *decision);
  constexpr int width = pack_width<T>;
  for (const std::int64_t i : grid_stride(packs)) {
    const auto apply = [&](auto parameter, auto gradient, auto... moment) {
#pragma unroll
      for (int j = 0; j < width; ++j) update(parameter.v[j], gradient.v[j], moment.v[j]...);
      store(p + i * width, parameter);
      if constexpr (Copies) {
        Pack<bf16, width> rounded;
#pragma unroll
        for (int j = 0; j < width; ++j) rounded.v[j] = bf16(static_cast<float>(parameter.v[j]));
        store(copy + i * width, rounded);
      }
      store(g + i * width, gradient);
      (store(moments + i * width, moment), ...);
    };
    apply(load<width>(p + i * width), load<width>(g + i * width), load<width>(moments + i * width)...);
  }
  for (const std::int64_t i : grid_stride(n - packs * width)) {
    const std::int64_t at = packs * width + i;
    update(p[at], g[at], moments[at]...);
    if constexpr (Copies) copy[at] = bf16(static_cast<float>(p[at]));
  }
}

template <bool Copies, class Update, class Step, class T, class... Moments>
void for_each(Cuda device, const char* name, const Step& step, const StepDecision* decision, std::int64_t n, T* p, T* g,
              bf16* copy, Moments*... moments) {
  if (n == 0) return;
  const std::int64_t packs = whole_packs<pack_width<T>>(n, {p, g, copy, moments...});
  launch(device, {name, {n}, grid_for(packs ? packs : n, threads), threads},
         update_kernel<Copies, Update, Step, T, Moments...>, step, decision, packs, n, p, g, copy, moments...);
}

/// SGD and RMSProp without momentum: the last moment starts at zero and is forgotten.
template <class T>
struct SgdWithoutMomentum {
  SgdUpdate<T> update;
  __device__ __forceinline__ SgdWithoutMomentum(const SgdStep& step, const StepDecision& d) : update(step, d) {}
  __device__ __forceinline__ void operator()(T& p, T& g) const {
    T none = 0;
    update(p, g, none);
  }
};
template <class T>
struct RmsPropWithoutMomentum {
  RmsPropUpdate<T> update;
  __device__ __forceinline__ RmsPropWithoutMomentum(const RmsPropStep& step, const StepDecision& d) : update(step, d) {}
  __device__ __forceinline__ void operator()(T& p, T& g, T& v) const {
    T none = 0;
    update(p, g, v, none);
  }
};

/// Of a part of the gradient: sums of squares as it is and clipped, and how far from the end of all the first element
/// lies that is not finite; 0 where there is none.
struct GradientSums {
  double all, clipped, bad_from_end;
};

/// x - x is 0 unless x is NaN or infinite.
__device__ __forceinline__ bool finite(double x) { return x - x == 0; }

/// sums[part] of elements [part 16384, ...) of g (n); a block each.
template <class T>
__global__ void __launch_bounds__(threads)
    gradient_sums_kernel(std::int64_t n, T clip_value, const T* g, GradientSums* sums) {
  const std::int64_t begin = blockIdx.x * part, end = min(n, begin + part);
  double all = 0, clipped = 0, bad_from_end = 0;
#pragma unroll 4
  for (std::int64_t i = begin + threadIdx.x; i < end; i += threads) {
    const double x = static_cast<double>(g[i]), c = static_cast<double>(limit(g[i], clip_value));
    all += x * x;
    clipped += c * c;
  }
  all = block_sum(all);
  clipped = block_sum(clipped);
  if (!finite(all)) {  // the same in all threads
    for (std::int64_t i = begin + threadIdx.x; i < end; i += threads)
      if (!finite(static_cast<double>(g[i])) && bad_from_end == 0) bad_from_end = static_cast<double>(n - i);
    bad_from_end = block_max(bad_from_end);
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = {all, clipped, bad_from_end};
}

/// *decision by the sums of all parts of n elements; one block.
__global__ void __launch_bounds__(threads) decide_step_kernel(std::int64_t n, std::int64_t parts, StepRule rule,
                                                              const GradientSums* sums, StepDecision* decision) {
  double all = 0, clipped = 0, bad_from_end = 0;
  for (const std::int64_t i : block_stride(parts)) {
    all += sums[i].all;
    clipped += sums[i].clipped;
    bad_from_end = max(bad_from_end, sums[i].bad_from_end);
  }
  all = block_sum(all);
  clipped = block_sum(clipped);
  bad_from_end = block_max(bad_from_end);
  if (threadIdx.x == 0) decide(rule, all, clipped, finite(all) ? -1 : static_cast<double>(n) - bad_from_end, *decision);
}

/// One thread.
__global__ void __launch_bounds__(1)
    decide_average_kernel(double decay, const StepDecision* step, AverageDecision* average) {
  decide(decay, *step, *average);
}

/// average (n) += rate (p - average); the first `packs` packs can be read at once.
template <class T>
__global__ void __launch_bounds__(threads)
    move_average_kernel(std::int64_t packs, std::int64_t n, const AverageDecision* decision, const T* p, T* average) {
  if (decision->rate == 0) return;
  const T rate = static_cast<T>(decision->rate);
  constexpr int width = pack_width<T>;
  for (const std::int64_t i : grid_stride(packs)) {
    Pack<T, width> mean = load<width>(average + i * width);
    const Pack<T, width> now = load<width>(p + i * width);
#pragma unroll
    for (int j = 0; j < width; ++j) mean.v[j] += rate * (now.v[j] - mean.v[j]);
    store(average + i * width, mean);
  }
  for (const std::int64_t i : grid_stride(n - packs * width)) {
    const std::int64_t at = packs * width + i;
    average[at] += rate * (p[at] - average[at]);
  }
}

}  // namespace

template <class T>
void decide_step(Cuda device, std::int64_t n, const StepRule& rule, const T* g, StepDecision* decision) {
  const std::int64_t parts = ceil_div(n, part);
  const cuda::Scratch<GradientSums> sums(parts, device.stream, "the partial sums of decide_step");
  if (parts > 0)
    launch(device, {"gradient_sums", {n}, grid_size(parts), threads}, gradient_sums_kernel<T>, n,
           static_cast<T>(rule.clip_value), g, sums.data());
  launch(device, {"decide_step", {parts}, 1, threads}, decide_step_kernel, n, parts, rule, sums.data(), decision);
}

template <class T>
void sgd_step(Cuda device, std::int64_t n, const SgdStep& step, const StepDecision* decision, T* p, T* g, T* b) {
  if (b)
    for_each<false, SgdUpdate<T>>(device, "sgd_step", step, decision, n, p, g, nullptr, b);
  else
    for_each<false, SgdWithoutMomentum<T>>(device, "sgd_step", step, decision, n, p, g, nullptr);
}

template <class T>
void rmsprop_step(Cuda device, std::int64_t n, const RmsPropStep& step, const StepDecision* decision, T* p, T* g, T* v,
                  T* b) {
  if (b)
    for_each<false, RmsPropUpdate<T>>(device, "rmsprop_step", step, decision, n, p, g, nullptr, v, b);
  else
    for_each<false, RmsPropWithoutMomentum<T>>(device, "rmsprop_step", step, decision, n, p, g, nullptr, v);
}

template <class T>
void adam_step(Cuda device, std::int64_t n, const AdamStep& step, const StepDecision* decision, T* p, T* g, T* m, T* v,
               bf16* copy) {
  if (copy)
    for_each<true, AdamUpdate<T>>(device, "adam_step", step, decision, n, p, g, copy, m, v);
  else
    for_each<false, AdamUpdate<T>>(device, "adam_step", step, decision, n, p, g, nullptr, m, v);
}

void decide_average(Cuda device, double decay, const StepDecision* step, AverageDecision* average) {
  launch(device, {"decide_average", {}, 1, 1}, decide_average_kernel, decay, step, average);
}

template <class T>
void move_average(Cuda device, std::int64_t n, const AverageDecision* decision, const T* p, T* average) {
  if (n == 0) return;
  const std::int64_t packs = whole_packs<pack_width<T>>(n, {p, average});
  launch(device, {"move_average", {n}, grid_for(packs ? packs : n, threads), threads}, move_average_kernel<T>, packs, n,
         decision, p, average);
}

GLIMPSE_OPTIMIZER_KERNELS(Cuda, float)
GLIMPSE_OPTIMIZER_KERNELS(Cuda, double)

}  // namespace glimpse::kernels
