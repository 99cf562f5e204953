// Filling, copying and conversion between element types: four elements a thread, 8 to 32 bytes at a time, by grid
// strides; the rest, and arrays that are not aligned, one by one in the same launch.
//
// Bytes: convert n (sizeof(From) + sizeof(To)), fill n sizeof(T). Operations: a conversion or two per element, so
// memory is the limit. Four elements at a time suit every pair of types: more would be several loads of the wider one,
// fewer a narrow one of the other.

#include "glimpse/kernels/convert.h"

#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;
constexpr int width = 4;

template <class To, class From>
__device__ __forceinline__ To convert_one(From x) {
  if constexpr (std::is_same_v<From, To>)
    return x;
  else if constexpr (std::is_arithmetic_v<From> && std::is_arithmetic_v<To>)
    return static_cast<To>(x);
  else if constexpr (std::is_arithmetic_v<From>)
    return To(static_cast<float>(x));
  else if constexpr (std::is_arithmetic_v<To>)
    return static_cast<To>(static_cast<float>(x));
  else
    return To(static_cast<float>(x));
}

template <class From, class To>
__global__ void __launch_bounds__(threads) convert_kernel(std::int64_t packs, std::int64_t n, const From* x, To* y) {
  for (const std::int64_t p : grid_stride(packs)) {
    const Pack<From, width> in = load<width>(x + p * width);
    Pack<To, width> out;
#pragma unroll
    for (int j = 0; j < width; ++j) out.v[j] = convert_one<To>(in.v[j]);
    store(y + p * width, out);
  }
  for (const std::int64_t i : grid_stride(n - packs * width))
    y[packs * width + i] = convert_one<To>(x[packs * width + i]);
}

template <class T>
__global__ void __launch_bounds__(threads) fill_kernel(std::int64_t packs, std::int64_t n, T value, T* y) {
  Pack<T, width> pack;
#pragma unroll
  for (int j = 0; j < width; ++j) pack.v[j] = value;
  for (const std::int64_t p : grid_stride(packs)) store(y + p * width, pack);
  for (const std::int64_t i : grid_stride(n - packs * width)) y[packs * width + i] = value;
}

}  // namespace

template <class T>
void fill(Cuda device, std::int64_t n, T value, T* y) {
  if (n == 0) return;
  const std::int64_t packs = whole_packs<width>(n, {y});
  launch(device, {"fill", {n}, grid_for(packs ? packs : n, threads), threads}, fill_kernel<T>, packs, n, value, y);
}

template <class From, class To>
void convert(Cuda device, std::int64_t n, const From* x, To* y) {
  if (n == 0) return;
  const std::int64_t packs = whole_packs<width>(n, {x, y});
  launch(device, {"convert", {n}, grid_for(packs ? packs : n, threads), threads}, convert_kernel<From, To>, packs, n, x,
         y);
}

void copy_bytes(Cuda device, std::int64_t n, const void* x, void* y) {
  cuda::copy_on_device(y, x, static_cast<std::size_t>(n), device.stream);
}

GLIMPSE_CONVERT_KERNELS(Cuda, float)
GLIMPSE_CONVERT_KERNELS(Cuda, double)
GLIMPSE_CONVERT_KERNELS(Cuda, std::int32_t)
GLIMPSE_CONVERT_KERNELS(Cuda, bf16)
GLIMPSE_CONVERT_KERNELS(Cuda, f16)

}  // namespace glimpse::kernels
