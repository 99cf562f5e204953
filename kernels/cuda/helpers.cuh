#pragma once
// What the CUDA kernels share: grid strides, vectorised loads and stores, sums and maxima of a warp and of a block.
// Everything here works the same in the emulator.

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <type_traits>

#include "glimpse/kernels/base/half.h"
#include "glimpse/kernels/base/math.h"
#include "glimpse/kernels/cuda/launch.cuh"

namespace glimpse::kernels {

constexpr int warp_lanes = 32;
constexpr unsigned all_lanes = 0xffffffffu;

template <class T>
__device__ __forceinline__ Accumulator<T> widen(T x) {
  return static_cast<Accumulator<T>>(x);
}
/// Rounded to T, to nearest even.
template <class T>
__device__ __forceinline__ T narrow(Accumulator<T> x) {
  return static_cast<T>(x);
}

// --- Loops. for (const std::int64_t i : grid_stride(n)) visits each i < n in one thread of the grid (x dimension
// only).
class Strided {
 public:
  struct Iterator {
    std::int64_t at;
    unsigned step;
    __device__ __forceinline__ std::int64_t operator*() const { return at; }
    __device__ __forceinline__ Iterator& operator++() {
      at += step;
      return *this;
    }
    __device__ __forceinline__ bool operator!=(const Iterator& end) const { return at < end.at; }
  };
  __device__ __forceinline__ Strided(std::int64_t first, std::int64_t n, unsigned step)
      : first_(first), n_(n), step_(step) {}
  __device__ __forceinline__ Iterator begin() const { return {first_, step_}; }
  __device__ __forceinline__ Iterator end() const { return {n_, step_}; }

 private:
  std::int64_t first_, n_;
  unsigned step_;
};

__device__ __forceinline__ Strided grid_stride(std::int64_t n) {
  return {static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x, n, gridDim.x * blockDim.x};
}
/// Rows for blocks: each i < n is visited by one block.
__device__ __forceinline__ Strided grid_rows(std::int64_t n) { return {blockIdx.x, n, gridDim.x}; }
/// Columns for the threads of a block.
__device__ __forceinline__ Strided block_stride(std::int64_t n) { return {threadIdx.x, n, blockDim.x}; }

__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x) % warp_lanes; }
__device__ __forceinline__ int warp_index() { return static_cast<int>(threadIdx.x) / warp_lanes; }
__device__ __forceinline__ int warps_of_block() { return static_cast<int>(blockDim.x) / warp_lanes; }

// --- Several elements in one load or store.

/// N elements that lie and move together.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T v[N];
};

/// How many elements a thread moves at once: 16 bytes of them, its widest load. f64 serves gradient checks alone, and
/// goes one by one.
template <class T>
inline constexpr int pack_width = std::is_same_v<T, double> ? 1 : 16 / static_cast<int>(sizeof(T));

template <int N, class T>
__device__ __forceinline__ void check_pack([[maybe_unused]] const T* p) {
#ifndef __CUDACC__
  emulator::check_alignment(p, sizeof(Pack<T, N>));
#endif
}

/// p must be aligned to N elements.
template <int N, class T>
__device__ __forceinline__ Pack<T, N> load(const T* p) {
  check_pack<N>(p);
  return *reinterpret_cast<const Pack<T, N>*>(p);
}
template <int N, class T>
__device__ __forceinline__ void store(T* p, const Pack<T, N>& value) {
  check_pack<N>(p);
  *reinterpret_cast<Pack<T, N>*>(p) = value;
}

/// pack_width, but at most 4: for kernels that keep many packs in registers.
template <class T>
inline constexpr int quad_width = std::min(4, pack_width<T>);

/// Where rows of `stride` elements, one after another, begin. A null array agrees to every width that its stride has.
struct Rows {
  std::uintptr_t begin;
  std::size_t element;  // bytes
  std::int64_t stride;
  template <class T>
  Rows(const T* data, std::int64_t row_stride = 0)
      : begin(reinterpret_cast<std::uintptr_t>(data)), element(sizeof(T)), stride(row_stride) {}
};

/// Whether each row of all the arrays can be read in packs of N.
template <int N>
bool in_packs(std::initializer_list<Rows> arrays) {
  return std::all_of(arrays.begin(), arrays.end(),
                     [](const Rows& r) { return r.stride % N == 0 && r.begin % (r.element * N) == 0; });
}

/// Calls `launch_kernel.operator()<N>()` where `in_packs<N>(arrays)`, else with 1: the one choice of a kernel's vector
/// width.
template <int N, class Launching>
void dispatch_width(std::initializer_list<Rows> arrays, Launching&& launch_kernel) {
  if (in_packs<N>(arrays))
    launch_kernel.template operator()<N>();
  else
    launch_kernel.template operator()<1>();
}

/// Packs of N among n elements of each array, for kernels that take the rest one by one: none where one is not aligned.
template <int N>
std::int64_t whole_packs(std::int64_t n, std::initializer_list<Rows> arrays) {
  return in_packs<N>(arrays) ? n / N : 0;
}

// --- Reductions. All lanes (threads) of the warp (block) take part and get the result; the order is fixed.

struct SumOf {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct MaxOf {
  template <class T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};

template <int Lanes = warp_lanes, class T, class Operation>
__device__ __forceinline__ T warp_reduce(T x, Operation operation) {
#pragma unroll
  for (int offset = Lanes / 2; offset > 0; offset /= 2) x = operation(x, __shfl_xor_sync(all_lanes, x, offset));
  return x;
}
/// Over groups of `Lanes` neighbouring lanes.
template <int Lanes = warp_lanes, class T>
__device__ __forceinline__ T warp_sum(T x) {
  return warp_reduce<Lanes>(x, SumOf{});
}
template <int Lanes = warp_lanes, class T>
__device__ __forceinline__ T warp_max(T x) {
  return warp_reduce<Lanes>(x, MaxOf{});
}

/// blockDim.x must be a multiple of 32, blockDim.y and z 1. `identity` is what changes nothing.
template <class T, class Operation>
__device__ __forceinline__ T block_reduce(T x, T identity, Operation operation) {
  SHARED(T, partial, [warp_lanes]);
  x = warp_reduce(x, operation);
  if (blockDim.x == warp_lanes) return x;
  if (lane_index() == 0) partial[warp_index()] = x;
  __syncthreads();
  x = warp_reduce(lane_index() < warps_of_block() ? partial[lane_index()] : identity, operation);
  __syncthreads();  // the next reduction writes `partial`
  return x;
}
template <class T>
__device__ __forceinline__ T block_sum(T x) {
  return block_reduce(x, T(0), SumOf{});
}
template <class T>
__device__ __forceinline__ T block_max(T x) {
  return block_reduce(x, -std::numeric_limits<T>::infinity(), MaxOf{});
}

}  // namespace glimpse::kernels
