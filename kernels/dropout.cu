// Inverted dropout with a mask that is computed, never stored: a thread draws one Philox block, four numbers, for four
// elements, so the bits are those of the CPU.
//
// Bytes: 2 n sizeof(T). Operations: about 25 integer ones per element, close to what memory allows on the largest GPUs,
// and far below it on others.

#include "glimpse/kernels/dropout.h"

#include "glimpse/kernels/base/philox.h"
#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;
constexpr int of_block = 4;  // numbers in a Philox block

template <class T>
__global__ void __launch_bounds__(threads, 4)
    dropout_kernel(std::int64_t n, bool packs, std::uint64_t dropped, Accumulator<T> scale, std::uint64_t seed,
                   std::uint64_t position, const T* x, T* y) {
  using A = Accumulator<T>;
  for (const std::int64_t b : grid_stride(ceil_div(n, of_block))) {
    const Philox4 random = philox(seed, position + static_cast<std::uint64_t>(b));
    const std::int64_t at = b * of_block;
    if (packs && at + of_block <= n) {
      Pack<T, of_block> pack = load<of_block>(x + at);
#pragma unroll
      for (int j = 0; j < of_block; ++j)
        pack.v[j] = narrow<T>(random.v[j] >= dropped ? widen(pack.v[j]) * scale : A(0));
      store(y + at, pack);
      continue;
    }
#pragma unroll
    for (int j = 0; j < of_block; ++j)
      if (at + j < n) y[at + j] = narrow<T>(random.v[j] >= dropped ? widen(x[at + j]) * scale : A(0));
  }
}

}  // namespace

template <class T>
void dropout(Cuda device, std::int64_t n, double p, std::uint64_t seed, std::uint64_t position, const T* x, T* y) {
  if (n == 0) return;
  using A = Accumulator<T>;
  const std::uint64_t dropped = static_cast<std::uint64_t>(p * 0x1p32);  // random numbers below are dropped
  const A scale = p < 1 ? static_cast<A>(1 / (1 - p)) : A(0);
  const bool packs = in_packs<of_block>({x, y});
  launch(device, {"dropout", {n}, grid_for(ceil_div(n, of_block), threads), threads}, dropout_kernel<T>, n, packs,
         dropped, scale, seed, position, x, y);
}

GLIMPSE_DROPOUT_KERNELS(Cuda, float)
GLIMPSE_DROPOUT_KERNELS(Cuda, double)
GLIMPSE_DROPOUT_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
