// Rows picked by index, and the sum that is its gradient.
//
// gather_rows: a warp copies a row, 16 bytes a lane where rows allow it; the type only matters by its size.
//
// gather_as_float: all packs of all rows by grid strides, 16 bytes of f16 or f32 a thread, since there are few rows and
// each is as long as the features of an image.
//
// sum_rows_by_index, without atomics, so that it repeats bit for bit: one column of blocks per position i, of which the
// first position of each index does the work, and all others leave as soon as they find an earlier one. The working
// block collects the later positions of its index in order, and its eight warps take turns at them, in double; their
// sums are added in the order of the warps. Frequent words are thus read by eight warps at once, and nothing needs
// sorting; finding positions costs n^2 / 1024 loads of the index array from the cache, little up to some 10^4
// positions.
//
// Bytes: gather 2 n width sizeof(T), as float n width (sizeof(From) + 4); sum n width sizeof(T) read, rows width
// sizeof(T) written. No arithmetic to speak of.

#include "glimpse/kernels/embedding.h"

#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;
constexpr int warps = threads / warp_lanes;

/// *first = lowest position whose index is outside; left alone when there is none.
__global__ void __launch_bounds__(threads)
    find_outside_kernel(std::int64_t n, const std::int32_t* index, std::int64_t limit, std::int64_t allowed,
                        unsigned long long* first) {
  for (const std::int64_t i : grid_stride(n))
    if ((index[i] < 0 || index[i] >= limit) && index[i] != allowed)
      atomicMin(first, static_cast<unsigned long long>(i));
}

/// x (rows,words), y (n,words): a row is copied as `words` elements of type Word.
template <class Word>
__global__ void __launch_bounds__(threads)
    gather_rows_kernel(std::int64_t n, std::int64_t words, const Word* x, const std::int32_t* index, Word* y) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * warps + warp_index();
  if (row >= n) return;
  const Word* from = x + index[row] * words;
  Word* to = y + row * words;
#pragma unroll 4
  for (std::int64_t i = lane_index(); i < words; i += warp_lanes) to[i] = from[i];
}

template <class Word>
void gather_words(Cuda device, std::int64_t n, std::int64_t words, const void* x, const std::int32_t* index, void* y) {
  launch(device, {"gather_rows", {n, words}, grid_size(ceil_div(n, warps)), threads}, gather_rows_kernel<Word>, n,
         words, static_cast<const Word*>(x), index, static_cast<Word*>(y));
}

/// x (rows,width), y (n,width), in packs of Width.
template <int Width, class From>
__global__ void __launch_bounds__(threads)
    gather_as_float_kernel(std::int64_t n, std::int64_t width, const From* x, const std::int32_t* index, float* y) {
  const std::int64_t packs = width / Width;
  for (const std::int64_t i : grid_stride(n * packs)) {
    const std::int64_t row = i / packs, column = (i - row * packs) * Width;
    const Pack<From, Width> in = load<Width>(x + index[row] * width + column);
    Pack<float, Width> out;
#pragma unroll
    for (int j = 0; j < Width; ++j) out.v[j] = static_cast<float>(in.v[j]);
    store(y + row * width + column, out);
  }
}

/// Whether index[j] == wanted for a j < n. The answer is the whole block's.
__device__ __forceinline__ bool occurs(std::int64_t n, const std::int32_t* index, std::int32_t wanted) {
  bool found = false;
  for (std::int64_t begin = 0; begin < n; begin += 4 * threads) {
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const std::int64_t j = begin + k * threads + threadIdx.x;
      found = found || (j < n && index[j] == wanted);
    }
    if (__syncthreads_or(found)) return true;
  }
  return false;
}

/// Puts the positions j in [begin, begin + threads) with index[j] == wanted into `places`, in order; returns how many.
/// Its first barrier lets all threads finish with the places of the call before.
__device__ __forceinline__ int collect(std::int64_t begin, std::int64_t n, const std::int32_t* index,
                                       std::int32_t wanted, int* places) {
  SHARED(int, found_by_warp, [warps]);
  const std::int64_t j = begin + threadIdx.x;
  const bool mine = j < n && index[j] == wanted;
  const unsigned votes = __ballot_sync(all_lanes, mine);
  if (lane_index() == 0) found_by_warp[warp_index()] = __popc(votes);
  __syncthreads();
  int before = __popc(votes & ((1u << lane_index()) - 1)), count = 0;
#pragma unroll
  for (int w = 0; w < warps; ++w) {
    if (w < warp_index()) before += found_by_warp[w];
    count += found_by_warp[w];
  }
  if (mine) places[before] = static_cast<int>(threadIdx.x);
  __syncthreads();
  return count;
}

/// dy (n,width), dx (rows,width), of which the rows that occur are written. Block i tiles + tile: position i and a tile
/// of columns, a pack for each lane.
template <int Width, class T>
__global__ void __launch_bounds__(threads)
    sum_rows_by_index_kernel(std::int64_t n, std::int64_t width, std::int64_t tiles, const T* dy,
                             const std::int32_t* index, T* dx) {
  SHARED(int, places, [threads]);
  SHARED(double, partial, [warps][warp_lanes * Width]);
  const std::int64_t i = blockIdx.x / tiles, column = (blockIdx.x % tiles * warp_lanes + lane_index()) * Width;
  const std::int32_t wanted = index[i];
  if (occurs(i, index, wanted)) return;
  double sum[Width] = {};
  for (std::int64_t begin = i; begin < n; begin += threads) {
    const int count = collect(begin, n, index, wanted, places);
    if (column < width)
#pragma unroll 4
      for (int k = warp_index(); k < count; k += warps) {
        const Pack<T, Width> pack = load<Width>(dy + (begin + places[k]) * width + column);
#pragma unroll
        for (int j = 0; j < Width; ++j) sum[j] += static_cast<double>(widen(pack.v[j]));
      }
  }
#pragma unroll
  for (int j = 0; j < Width; ++j) partial[warp_index()][j * warp_lanes + lane_index()] = sum[j];
  __syncthreads();
  if (warp_index() != 0 || column >= width) return;
  Pack<T, Width> pack;
#pragma unroll
  for (int j = 0; j < Width; ++j) {
    double total = sum[j];
#pragma unroll
    for (int w = 1; w < warps; ++w) total += partial[w][j * warp_lanes + lane_index()];
    pack.v[j] = narrow<T>(static_cast<Accumulator<T>>(total));
  }
  store(dx + wanted * width + column, pack);
}

}  // namespace

std::int64_t find_outside(Cuda device, std::int64_t n, const std::int32_t* index, std::int64_t limit,
                          std::int64_t allowed) {
  if (n == 0) return -1;
  const cuda::Scratch<unsigned long long> first(1, device.stream, "the result of find_outside");
  cuda::fill_bytes(first.data(), 0xff, sizeof(unsigned long long), device.stream);
  launch(device, {"find_outside", {n}, grid_for(n, threads), threads}, find_outside_kernel, n, index, limit, allowed,
         first.data());
  unsigned long long found = 0;
  cuda::copy_to_host(&found, first.data(), sizeof found, device.stream);
  return static_cast<std::int64_t>(found);  // all bits set is -1
}

template <class T>
void gather_rows(Cuda device, std::int64_t n, std::int64_t width, const T* x, const std::int32_t* index, T* y) {
  if (n == 0 || width == 0) return;
  constexpr int of_16_bytes = 16 / static_cast<int>(sizeof(T));
  dispatch_width<of_16_bytes>({{x, width}, {y, width}}, [&]<int Width>() {
    using Word = std::conditional_t<Width == 1, T, uint4>;
    gather_words<Word>(device, n, width / Width, x, index, y);
  });
}

template <class From>
void gather_as_float(Cuda device, std::int64_t n, std::int64_t width, const From* x, const std::int32_t* index,
                     float* y) {
  if (n == 0 || width == 0) return;
  dispatch_width<pack_width<From>>({{x, width}, {y, width}}, [&]<int Width>() {
    launch(device, {"gather_as_float", {n, width}, grid_for(n * (width / Width), threads), threads},
           gather_as_float_kernel<Width, From>, n, width, x, index, y);
  });
}

template <class T>
void sum_rows_by_index(Cuda device, std::int64_t rows, std::int64_t n, std::int64_t width, const T* dy,
                       const std::int32_t* index, T* dx) {
  cuda::fill_bytes(dx, 0, static_cast<std::size_t>(rows * width) * sizeof(T), device.stream);
  if (n == 0 || width == 0) return;
  dispatch_width<quad_width<T>>({{dy, width}, {dx, width}}, [&]<int Width>() {
    const std::int64_t tiles = ceil_div(width, warp_lanes * Width);
    launch(device, {"sum_rows_by_index", {rows, n, width}, grid_size(n * tiles), threads},
           sum_rows_by_index_kernel<Width, T>, n, width, tiles, dy, index, dx);
  });
}

GLIMPSE_EMBEDDING_KERNELS(Cuda, float)
GLIMPSE_EMBEDDING_KERNELS(Cuda, double)
GLIMPSE_EMBEDDING_KERNELS(Cuda, bf16)
GLIMPSE_GATHER_AS_FLOAT_KERNELS(Cuda, float)
GLIMPSE_GATHER_AS_FLOAT_KERNELS(Cuda, f16)

}  // namespace glimpse::kernels
