// Hard attention: drawing a location for each query, reading it, and marking it.
//
// Drawing takes a warp per query: lanes read 32 neighbouring probabilities at a time, and their running sums, made in
// double by shuffles, are compared with the number drawn. Reading and marking take a block per query.
//
// Bytes: drawing 2 Q L sizeof(T), the second time from the caches; reading 2 Q D sizeof(T); marking Q n sizeof(T).
// Operations: about 8 Q L in drawing, none else; at a step of a recurrence all three take the time of a launch.

#include "glimpse/kernels/attention/locations.h"
#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 128;
constexpr unsigned queries_of_block = threads / warp_lanes;

/// Sum of x over this lane and those before it.
__device__ __forceinline__ double sum_up_to_lane(double x) {
#pragma unroll
  for (int delta = 1; delta < warp_lanes; delta *= 2) {
    const double before = __shfl_up_sync(all_lanes, x, delta);
    if (lane_index() >= delta) x += before;
  }
  return x;
}

template <class T>
__global__ void __launch_bounds__(threads)
    sample_locations_kernel(std::int64_t queries, std::int64_t locations, const T* alpha, const T* uniform,
                            std::int32_t* location) {
  const std::int64_t q = static_cast<std::int64_t>(blockIdx.x) * queries_of_block + warp_index();
  if (q >= queries) return;
  const T* row = alpha + q * locations;
  const int lane = lane_index();
  double total = 0;
  for (std::int64_t l = lane; l < locations; l += warp_lanes) total += static_cast<double>(row[l]);
  const double target = static_cast<double>(uniform[q]) * warp_sum(total);
  double before = 0;         // sum of the tiles that are done
  std::int32_t chosen = -1;  // of those at which the sum does not yet exceed the target, the last; then the one
  bool found = uniform[q] < T(0);
  for (std::int64_t tile = 0; tile < locations && !found; tile += warp_lanes) {
    const T own = tile + lane < locations ? row[tile + lane] : T(0);
    const double sum = before + sum_up_to_lane(static_cast<double>(own));
    const unsigned reached = __ballot_sync(all_lanes, own > T(0) && sum > target);
    const unsigned possible = __ballot_sync(all_lanes, own > T(0));
    found = reached != 0;
    if (found)
      chosen = static_cast<std::int32_t>(tile) + __ffs(static_cast<int>(reached)) - 1;
    else if (possible != 0)
      chosen = static_cast<std::int32_t>(tile) + 31 - __clz(static_cast<int>(possible));
    before = __shfl_sync(all_lanes, sum, warp_lanes - 1);
  }
  if (lane == 0) location[q] = chosen;
}

template <int Width, class T>
__global__ void __launch_bounds__(threads)
    read_locations_kernel(std::int64_t locations, std::int64_t channels, const T* features, const std::int32_t* image,
                          const std::int32_t* location, T* context) {
  const std::int64_t q = blockIdx.x;
  if (location[q] < 0) return;
  const T* from = features + (image[q] * locations + location[q]) * channels;
  for (const std::int64_t p : block_stride(channels / Width))
    store(context + q * channels + p * Width, load<Width>(from + p * Width));
}

template <class T>
__global__ void __launch_bounds__(threads)
    mark_locations_kernel(std::int64_t n, const std::int32_t* location, T value, T* x) {
  const std::int64_t q = blockIdx.x;
  if (location[q] < 0) return;
  for (const std::int64_t i : block_stride(n)) x[q * n + i] = i == location[q] ? value : T(0);
}

}  // namespace

template <class T>
void sample_locations(Cuda device, std::int64_t queries, std::int64_t locations, const T* alpha, const T* uniform,
                      std::int32_t* location) {
  if (queries == 0) return;
  launch(device, {"sample_locations", {queries, locations}, grid_size(ceil_div(queries, queries_of_block)), threads},
         sample_locations_kernel<T>, queries, locations, alpha, uniform, location);
}

template <class T>
void read_locations(Cuda device, std::int64_t queries, std::int64_t locations, std::int64_t channels, const T* features,
                    const std::int32_t* image, const std::int32_t* location, T* context) {
  if (queries == 0 || channels == 0) return;
  dispatch_width<pack_width<T>>({{features, channels}, {context, channels}}, [&]<int Width>() {
    launch(device, {"read_locations", {queries, locations, channels}, grid_size(queries), threads},
           read_locations_kernel<Width, T>, locations, channels, features, image, location, context);
  });
}

template <class T>
void mark_locations(Cuda device, std::int64_t queries, std::int64_t n, const std::int32_t* location, T value, T* x) {
  if (queries == 0 || n == 0) return;
  launch(device, {"mark_locations", {queries, n}, grid_size(queries), threads}, mark_locations_kernel<T>, n, location,
         value, x);
}

GLIMPSE_LOCATION_KERNELS(Cuda, float)
GLIMPSE_LOCATION_KERNELS(Cuda, double)

}  // namespace glimpse::kernels
