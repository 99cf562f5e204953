#pragma once
// What the forward and the backward kernels of additive attention share.

#include "glimpse/kernels/attention/internal/parts.h"
#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels::attention {

constexpr unsigned threads = 256;
constexpr int warps = threads / warp_lanes;
constexpr int most_of_tile = warp_lanes;  // locations that a block has in work at once: a lane for each in the softmax

/// In f32 tanh is made of the GPU's own exponential and reciprocal: about 1e-7 off at most, absolutely, which is what
/// counts in a sum of many; tanhf would cost more than the reading of memory leaves time for.
struct FastTanh : Tanh {
  __device__ __forceinline__ static float value(float x) { return 1.0f - __fdividef(2.0f, 1.0f + __expf(2.0f * x)); }
  __device__ __forceinline__ static double value(double x) { return tanh(x); }
};

/// How the locations of an image are shared among blocks: `parts` of `chunk` locations, worked through `tile` by tile.
struct Parts {
  std::int64_t parts, chunk;
  int tile;
};
inline Parts cut_locations(std::int64_t groups, std::int64_t locations) {
  constexpr std::int64_t least = 16;  // locations of a part: below that, adding the parts up costs as much as reading
  constexpr std::int64_t wanted = 4;  // blocks for each multiprocessor
  const std::int64_t enough = ceil_div(wanted * cuda::multiprocessors(), groups);
  const std::int64_t chunk = ceil_div(locations, std::clamp<std::int64_t>(enough, 1, ceil_div(locations, least)));
  return {ceil_div(locations, chunk), chunk, static_cast<int>(ceil_div(chunk, ceil_div(chunk, most_of_tile)))};
}

inline std::int64_t queries_of(const AttentionShape& s) { return s.first ? s.queries : s.groups; }

/// Threads that share columns, a pack each: with fewer packs than threads, several groups of threads share the
/// locations.
struct Columns {
  int packs, groups;
  __device__ __forceinline__ Columns(std::int64_t columns, int width)
      : packs(static_cast<int>(columns / width)), groups(groups_for(columns, width)) {}
  __device__ __forceinline__ int group() const { return groups == 1 ? 0 : static_cast<int>(threadIdx.x) / packs; }
  __device__ __forceinline__ int first() const {
    return groups == 1 ? static_cast<int>(threadIdx.x) : static_cast<int>(threadIdx.x) % packs;
  }
  __host__ __device__ static int groups_for(std::int64_t columns, int width) {
    const std::int64_t packs = columns / width, fitting = packs == 0 ? 0 : threads / packs;
    return fitting == 0 ? 1 : static_cast<int>(fitting);
  }
};

/// A pack in shared memory, four numbers at a time.
template <int Width, class A>
__device__ __forceinline__ void load_shared(const A* p, A (&v)[Width]) {
  constexpr int at_once = Width % 4 == 0 ? 4 : 1;
#pragma unroll
  for (int i = 0; i < Width; i += at_once) {
    const Pack<A, at_once> part = load<at_once>(p + i);
#pragma unroll
    for (int j = 0; j < at_once; ++j) v[i + j] = part.v[j];
  }
}
template <int Width, class A>
__device__ __forceinline__ void store_shared(A* p, const A (&v)[Width]) {
  constexpr int at_once = Width % 4 == 0 ? 4 : 1;
#pragma unroll
  for (int i = 0; i < Width; i += at_once) {
    Pack<A, at_once> part;
#pragma unroll
    for (int j = 0; j < at_once; ++j) part.v[j] = v[i + j];
    store(p + i, part);
  }
}

/// to[i] = from[i], widened, i < n; by all threads of the block.
template <class T>
__device__ __forceinline__ void widen_into_shared(std::int64_t n, const T* from, Accumulator<T>* to) {
  for (const std::int64_t i : block_stride(n)) to[i] = widen(from[i]);
}

}  // namespace glimpse::kernels::attention
