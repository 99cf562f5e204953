// Sums over one dimension of x (outer,n,inner).
//
// The n rows (or elements, where inner is 1) are cut into parts whose length depends on nothing but the shape; a block
// sums one part in double, and a second launch of the same kernels sums the parts. So the order of additions is fixed,
// whatever the device. Where inner is larger than 1, a warp reads 32 neighbouring columns of a row and eight warps
// share the rows; where it is 1, the threads of a block share a row, or a warp takes a whole one when it is short.
//
// Bytes: outer n inner sizeof(T) read, 1/256 of that written and read again as partial sums, outer inner sizeof(T)
// written. Operations: one conversion and one addition in double per element, which even a GPU with few f64 units does
// as quickly as memory delivers.

#include "glimpse/kernels/reduce.h"

#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;
constexpr int tile_columns = warp_lanes, tile_rows = threads / tile_columns;
constexpr std::int64_t rows_of_part = 256;
constexpr std::int64_t elements_of_part = 16384;
constexpr std::int64_t longest_of_warp = 1024;

/// y (outer,parts,inner) = scale * sums of the parts of x (outer,n,inner). Block (o parts + part) tiles + tile.
template <class T, class Y>
__global__ void __launch_bounds__(threads) sum_columns_kernel(std::int64_t n, std::int64_t inner, std::int64_t parts,
                                                              std::int64_t tiles, double scale, const T* x, Y* y) {
  SHARED(double, partial, [tile_rows][tile_columns]);
  const std::int64_t place = blockIdx.x / tiles, o = place / parts, part = place % parts;
  const std::int64_t column = blockIdx.x % tiles * tile_columns + lane_index();
  const std::int64_t end = min(n, (part + 1) * rows_of_part);
  double sum = 0;
  if (column < inner)
#pragma unroll 4
    for (std::int64_t k = part * rows_of_part + warp_index(); k < end; k += tile_rows)
      sum += static_cast<double>(widen(x[(o * n + k) * inner + column]));
  partial[warp_index()][lane_index()] = sum;
  __syncthreads();
  if (warp_index() != 0 || column >= inner) return;
#pragma unroll
  for (int row = 1; row < tile_rows; ++row) sum += partial[row][lane_index()];
  y[place * inner + column] = narrow<Y>(static_cast<Accumulator<Y>>(scale * sum));
}

/// y (outer,parts) = scale * sums of the parts of x (outer,n), a block each. `packs`: x can be read in packs.
template <class T, class Y>
__global__ void __launch_bounds__(threads)
    sum_row_kernel(std::int64_t n, std::int64_t parts, bool packs, double scale, const T* x, Y* y) {
  constexpr int width = pack_width<T>;
  const std::int64_t begin = blockIdx.x % parts * elements_of_part;
  const std::int64_t count = min(n - begin, elements_of_part), whole = packs ? count / width : 0;
  x += blockIdx.x / parts * n + begin;
  double sum = 0;
  for (const std::int64_t p : block_stride(whole)) {
    const Pack<T, width> pack = load<width>(x + p * width);
#pragma unroll
    for (int j = 0; j < width; ++j) sum += static_cast<double>(widen(pack.v[j]));
  }
  for (const std::int64_t i : block_stride(count - whole * width))
    sum += static_cast<double>(widen(x[whole * width + i]));
  sum = block_sum(sum);
  if (threadIdx.x == 0) y[blockIdx.x] = narrow<Y>(static_cast<Accumulator<Y>>(scale * sum));
}

/// y (outer) = scale * sums of the rows of x (outer,n), a warp each.
template <class T, class Y>
__global__ void __launch_bounds__(threads)
    sum_short_row_kernel(std::int64_t outer, std::int64_t n, double scale, const T* x, Y* y) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * warps_of_block() + warp_index();
  if (row >= outer) return;
  double sum = 0;
  for (std::int64_t i = lane_index(); i < n; i += warp_lanes) sum += static_cast<double>(widen(x[row * n + i]));
  sum = warp_sum(sum);
  if (lane_index() == 0) y[row] = narrow<Y>(static_cast<Accumulator<Y>>(scale * sum));
}

/// One launch: from x (outer,n,inner) to y (outer,parts,inner).
template <class T, class Y>
void sum_parts(Cuda device, std::int64_t outer, std::int64_t n, std::int64_t inner, std::int64_t parts, double scale,
               const T* x, Y* y) {
  const LaunchSizes sizes{outer, n, inner};
  if (inner > 1) {
    const std::int64_t tiles = ceil_div(inner, tile_columns);
    launch(device, {"reduce_sum", sizes, grid_size(outer * parts * tiles), threads}, sum_columns_kernel<T, Y>, n, inner,
           parts, tiles, scale, x, y);
  } else if (n <= longest_of_warp) {
    launch(device, {"reduce_sum", sizes, grid_size(ceil_div(outer, threads / warp_lanes)), threads},
           sum_short_row_kernel<T, Y>, outer, n, scale, x, y);
  } else {
    launch(device, {"reduce_sum", sizes, grid_size(outer * parts), threads}, sum_row_kernel<T, Y>, n, parts,
           in_packs<pack_width<T>>({{x, n}}), scale, x, y);
  }
}

std::int64_t parts_of(std::int64_t n, std::int64_t inner) {
  return std::max<std::int64_t>(1, ceil_div(n, inner > 1 ? rows_of_part : elements_of_part));
}

}  // namespace

template <class T>
void reduce_sum(Cuda device, std::int64_t outer, std::int64_t n, std::int64_t inner, double scale, const T* x, T* y) {
  if (outer * inner == 0) return;
  const std::int64_t parts = parts_of(n, inner);
  if (parts == 1) return sum_parts(device, outer, n, inner, 1, scale, x, y);
  const cuda::Scratch<double> partial(outer * parts * inner, device.stream, "the partial sums of reduce_sum");
  sum_parts(device, outer, n, inner, parts, 1.0, x, partial.data());
  if (parts_of(parts, inner) == 1) return sum_parts(device, outer, parts, inner, 1, scale, partial.data(), y);
  const cuda::Scratch<double> total(outer * inner, device.stream, "the sums of reduce_sum");
  reduce_sum(device, outer, parts, inner, scale, partial.data(), total.data());
  sum_parts(device, outer, 1, inner, 1, 1.0, total.data(), y);
}

GLIMPSE_REDUCE_KERNELS(Cuda, float)
GLIMPSE_REDUCE_KERNELS(Cuda, double)
GLIMPSE_REDUCE_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
