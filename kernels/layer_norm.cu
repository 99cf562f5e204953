// Layer normalisation over the channels of images (n,c,area), at each place for itself.
//
// Neighbouring places lie side by side: a warp reads 32 of them from one channel, and the eight warps of a block share
// the channels. Their sums meet in shared memory, in double and in a fixed order. The second and third reading of a
// block's 32 places by c channels come from the cache.
//
// Bytes: forward reads x three times, of which one is from memory, and writes y; backward reads y and dy twice and
// writes dx. Operations: some 6 per element, in f64 in the sums. Memory is the limit, except on GPUs with few f64
// units.

#include "glimpse/kernels/layer_norm.h"

#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr int tile_places = warp_lanes, tile_rows = 8;
constexpr unsigned threads = tile_places * tile_rows;

/// The sum over the warps of a block, for each lane; all threads get it.
__device__ __forceinline__ double sum_of_warps(double x) {
  SHARED(double, partial, [tile_rows][tile_places]);
  partial[warp_index()][lane_index()] = x;
  __syncthreads();
  double sum = 0;
#pragma unroll
  for (int row = 0; row < tile_rows; ++row) sum += partial[row][lane_index()];
  __syncthreads();  // the next sum writes `partial`
  return sum;
}

/// Where a lane's place is: of which image, and where in its planes.
struct PlaceOf {
  std::int64_t image, at;
  bool exists;
  __device__ __forceinline__ PlaceOf(std::int64_t tile, std::int64_t n, std::int64_t area) {
    const std::int64_t i = tile * tile_places + lane_index();
    image = i / area;
    at = i - image * area;
    exists = image < n;
  }
};

/// body(channel) for the channels of this warp, where the lane has a place.
template <class Body>
__device__ __forceinline__ void for_channels(const PlaceOf& place, std::int64_t channels, Body body) {
  if (place.exists)
    for (std::int64_t c = warp_index(); c < channels; c += tile_rows) body(c);
}

template <class T>
__global__ void __launch_bounds__(threads) layer_norm_forward_kernel(std::int64_t tiles, LayerNorm<T> s) {
  for (const std::int64_t tile : grid_rows(tiles)) {
    const PlaceOf place(tile, s.n, s.area);
    const T* x = s.x + place.image * s.x_stride + place.at;
    T* y = s.y + place.image * s.y_stride + place.at;
    const double channels = static_cast<double>(s.c);
    double sum = 0;
    for_channels(place, s.c, [&](std::int64_t c) { sum += static_cast<double>(x[c * s.area]); });
    const double mean = sum_of_warps(sum) / channels;
    double square = 0;
    for_channels(place, s.c, [&](std::int64_t c) {
      const double distance = static_cast<double>(x[c * s.area]) - mean;
      square += distance * distance;
    });
    const double scale = 1 / sqrt(sum_of_warps(square) / channels + s.eps);
    for_channels(place, s.c, [&](std::int64_t c) {
      const double weight = s.weight ? static_cast<double>(s.weight[c]) : 1.0;
      const double bias = s.bias ? static_cast<double>(s.bias[c]) : 0.0;
      y[c * s.area] = static_cast<T>((static_cast<double>(x[c * s.area]) - mean) * scale * weight + bias);
    });
    if (s.scale && place.exists && warp_index() == 0) s.scale[place.image * s.area + place.at] = static_cast<T>(scale);
  }
}

template <class T>
__global__ void __launch_bounds__(threads)
    layer_norm_backward_kernel(std::int64_t tiles, std::int64_t n, std::int64_t channels, std::int64_t area, const T* y,
                               const T* scale, const T* dy, T* dx) {
  for (const std::int64_t tile : grid_rows(tiles)) {
    const PlaceOf place(tile, n, area);
    const std::int64_t offset = place.image * channels * area + place.at;
    double sum = 0, product = 0;
    for_channels(place, channels, [&](std::int64_t c) {
      const double d = static_cast<double>(dy[offset + c * area]);
      sum += d;
      product += d * static_cast<double>(y[offset + c * area]);
    });
    const double share = 1 / static_cast<double>(channels);
    sum = sum_of_warps(sum) * share;
    product = sum_of_warps(product) * share;
    const double factor = place.exists ? static_cast<double>(scale[place.image * area + place.at]) : 0.0;
    for_channels(place, channels, [&](std::int64_t c) {
      const std::int64_t at = offset + c * area;
      dx[at] = static_cast<T>(factor * (static_cast<double>(dy[at]) - sum - static_cast<double>(y[at]) * product));
    });
  }
}

}  // namespace

template <class T>
void layer_norm_forward(Cuda device, const LayerNorm<T>& s) {
  if (s.n * s.c * s.area == 0) return;
  const std::int64_t tiles = ceil_div(s.n * s.area, tile_places);
  launch(device, {"layer_norm_forward", {s.n, s.c, s.area}, grid_for(tiles, 1), threads}, layer_norm_forward_kernel<T>,
         tiles, s);
}

template <class T>
void layer_norm_backward(Cuda device, std::int64_t n, std::int64_t c, std::int64_t area, const T* y, const T* scale,
                         const T* dy, T* dx) {
  if (n * c * area == 0) return;
  const std::int64_t tiles = ceil_div(n * area, tile_places);
  launch(device, {"layer_norm_backward", {n, c, area}, grid_for(tiles, 1), threads}, layer_norm_backward_kernel<T>,
         tiles, n, c, area, y, scale, dy, dx);
}

GLIMPSE_LAYER_NORM_KERNELS(Cuda, float)
GLIMPSE_LAYER_NORM_KERNELS(Cuda, double)

}  // namespace glimpse::kernels
