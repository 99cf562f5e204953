// Optimizer updates over flat buffers: clip, update and zero the gradient, for all parameters of a model in one launch.
// The update of one element is the CPU's (optimizer_update.h); a thread applies it to 16 bytes of each buffer at a time
// and goes on by grid strides.
//
// Bytes per element: Adam 4 arrays in, 4 out, 32 in f32, and 2 for a copy in bf16; SGD with momentum 24, RMSProp with
// momentum 32. Operations: about 20 with a square root and a division, so memory is the limit.
//
// move_average: 2 arrays in, 1 out, 12 bytes per element in f32, and 3 operations.
//
// gradient_sums: parts of 16384 elements are summed in double by a block each, and the parts by one block, so that the
// order depends on n alone; n sizeof(T) bytes, and one wait of the host for the result.

#include "glimpse/kernels/optimizer.h"

#include <type_traits>

#include "glimpse/kernels/cuda/helpers.cuh"
#include "glimpse/kernels/optimizer_update.h"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;
constexpr std::int64_t part = 16384;

/// update(p[i], g[i], moments[i]...) for i < n; the first `packs` packs can be read at once. If Copies, the new
/// parameters also go to `copy`.
template <bool Copies, class Update, class T, class... Moments>
__global__ void __launch_bounds__(threads, 4)
    update_kernel(Update update, std::int64_t packs, std::int64_t n, T* p, T* g, bf16* copy, Moments*... moments) {
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

template <bool Copies, class Update, class T, class... Moments>
void for_each(Cuda device, const char* name, const Update& update, std::int64_t n, T* p, T* g, bf16* copy,
              Moments*... moments) {
  if (n == 0) return;
  const std::int64_t packs = whole_packs<pack_width<T>>(n, {p, g, copy, moments...});
  launch(device, {name, {n}, grid_for(packs ? packs : n, threads), threads},
         update_kernel<Copies, Update, T, Moments...>, update, packs, n, p, g, copy, moments...);
}

/// SGD and RMSProp without momentum: the last moment starts at zero and is forgotten.
template <class T>
struct SgdWithoutMomentum {
  SgdUpdate<T> update;
  __device__ __forceinline__ void operator()(T& p, T& g) const {
    T none = 0;
    update(p, g, none);
  }
};
template <class T>
struct RmsPropWithoutMomentum {
  RmsPropUpdate<T> update;
  __device__ __forceinline__ void operator()(T& p, T& g, T& v) const {
    T none = 0;
    update(p, g, v, none);
  }
};

/// sums[part] = sums over elements [part 16384, ...) of g; a block each.
template <class T>
__global__ void __launch_bounds__(threads)
    gradient_sums_kernel(std::int64_t n, T clip_value, const T* g, GradientSums* sums) {
  const std::int64_t begin = blockIdx.x * part, end = min(n, begin + part);
  double all = 0, clipped = 0;
#pragma unroll 4
  for (std::int64_t i = begin + threadIdx.x; i < end; i += threads) {
    const double x = static_cast<double>(g[i]), c = static_cast<double>(limit(g[i], clip_value));
    all += x * x;
    clipped += c * c;
  }
  all = block_sum(all);
  clipped = block_sum(clipped);
  if (threadIdx.x == 0) sums[blockIdx.x] = {all, clipped};
}

/// *result = sum of all parts; one block.
__global__ void __launch_bounds__(threads)
    add_gradient_sums_kernel(std::int64_t parts, const GradientSums* sums, GradientSums* result) {
  double all = 0, clipped = 0;
  for (const std::int64_t i : block_stride(parts)) {
    all += sums[i].all;
    clipped += sums[i].clipped;
  }
  all = block_sum(all);
  clipped = block_sum(clipped);
  if (threadIdx.x == 0) *result = {all, clipped};
}

/// average (n) += rate (p - average); the first `packs` packs can be read at once.
template <class T>
__global__ void __launch_bounds__(threads)
    move_average_kernel(std::int64_t packs, std::int64_t n, T rate, const T* p, T* average) {
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
GradientSums gradient_sums(Cuda device, std::int64_t n, double clip_value, const T* g) {
  if (n == 0) return {0, 0};
  const std::int64_t parts = ceil_div(n, part);
  const cuda::Scratch<GradientSums> sums(parts + 1, device.stream, "the partial sums of gradient_sums");
  launch(device, {"gradient_sums", {n}, grid_size(parts), threads}, gradient_sums_kernel<T>, n,
         static_cast<T>(clip_value), g, sums.data());
  launch(device, {"gradient_sums", {parts}, 1, threads}, add_gradient_sums_kernel, parts, sums.data(),
         sums.data() + parts);
  GradientSums result;
  cuda::copy_to_host(&result, sums.data() + parts, sizeof result, device.stream);
  return result;
}

template <class T>
void sgd_step(Cuda device, std::int64_t n, const SgdStep& step, const Clip& clip, T* p, T* g, T* b) {
  const SgdUpdate<T> update(step, clip);
  if (b)
    for_each<false>(device, "sgd_step", update, n, p, g, nullptr, b);
  else
    for_each<false>(device, "sgd_step", SgdWithoutMomentum<T>{update}, n, p, g, nullptr);
}

template <class T>
void rmsprop_step(Cuda device, std::int64_t n, const RmsPropStep& step, const Clip& clip, T* p, T* g, T* v, T* b) {
  const RmsPropUpdate<T> update(step, clip);
  if (b)
    for_each<false>(device, "rmsprop_step", update, n, p, g, nullptr, v, b);
  else
    for_each<false>(device, "rmsprop_step", RmsPropWithoutMomentum<T>{update}, n, p, g, nullptr, v);
}

template <class T>
void adam_step(Cuda device, std::int64_t n, const AdamStep& step, const Clip& clip, T* p, T* g, T* m, T* v,
               bf16* copy) {
  const AdamUpdate<T> update(step, clip);
  if (copy)
    for_each<true>(device, "adam_step", update, n, p, g, copy, m, v);
  else
    for_each<false>(device, "adam_step", update, n, p, g, nullptr, m, v);
}

template <class T>
void move_average(Cuda device, std::int64_t n, double rate, const T* p, T* average) {
  if (n == 0) return;
  const std::int64_t packs = whole_packs<pack_width<T>>(n, {p, average});
  launch(device, {"move_average", {n}, grid_for(packs ? packs : n, threads), threads}, move_average_kernel<T>, packs, n,
         static_cast<T>(rate), p, average);
}

GLIMPSE_OPTIMIZER_KERNELS(Cuda, float)
GLIMPSE_OPTIMIZER_KERNELS(Cuda, double)

}  // namespace glimpse::kernels
