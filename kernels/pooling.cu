// Pooling of images, forward and backward.
//
// Forward, a thread makes one result: neighbouring lanes have neighbouring windows, which overlap, so that each pixel
// comes from memory once and otherwise from the first cache. Means over 32 pixels and more (a global average) have a
// warp per result instead, whose lanes read neighbouring pixels. Backward, a thread makes the gradient of one pixel: it
// visits the windows that the pixel lies in, in the order in which the CPU adds them, and takes what is meant for it.
// Nothing is scattered, so nothing has to be zeroed or added atomically, and the result is the same each time.
//
// Bytes: x and y once each (and argmax, 4 bytes a result). Operations: one comparison or addition per pixel of each
// window and two 32-bit divisions per thread, which memory hides.

#include "glimpse/kernels/pooling.h"

#include "glimpse/kernels/internal/planes.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;
constexpr int pixels_of_warp = 32;  // windows of as many pixels get a warp

/// Sizes of a PoolShape as the kernels use them.
struct Pool {
  std::int64_t planes;
  int h, w, out_h, out_w, kernel, stride, padding;
  explicit Pool(const PoolShape& s)
      : planes(s.planes),
        h(static_cast<int>(s.h)),
        w(static_cast<int>(s.w)),
        out_h(static_cast<int>(s.out_h())),
        out_w(static_cast<int>(s.out_w())),
        kernel(static_cast<int>(s.kernel)),
        stride(static_cast<int>(s.stride)),
        padding(static_cast<int>(s.padding)) {}
  std::int64_t results() const { return planes * out_h * out_w; }
  std::int64_t pixels() const { return planes * h * w; }

  /// The part of window i that lies on the image.
  __device__ __forceinline__ Span window(int i, int size) const {
    const int start = i * stride - padding;
    return {max(start, 0), min(start + kernel, size)};
  }
  /// How many rows (or columns) window i counts in an average: the padding, but nothing beyond it.
  __device__ __forceinline__ int counted(int i, int size) const {
    const int start = i * stride - padding;
    return min(start + kernel, size + padding) - start;
  }
  /// The windows that row (or column) `at` lies in.
  __device__ __forceinline__ Span windows(int at, int out) const {
    const int below =
        at + padding - kernel;  // the last one that a window can start at and not reach `at`, plus padding
    return {below < 0 ? 0 : below / stride + 1, min(out, (at + padding) / stride + 1)};
  }
};

struct AdaptivePool {
  std::int64_t planes;
  int h, w, out_h, out_w;
  explicit AdaptivePool(const AdaptivePoolShape& s)
      : planes(s.planes),
        h(static_cast<int>(s.h)),
        w(static_cast<int>(s.w)),
        out_h(static_cast<int>(s.out_h)),
        out_w(static_cast<int>(s.out_w)) {}
  std::int64_t results() const { return planes * out_h * out_w; }
  std::int64_t pixels() const { return planes * h * w; }
};

/// Rows (or columns) i size / out to (i+1) size / out, outwards to whole ones. With the sizes exchanged: the windows
/// that row i lies in.
__device__ __forceinline__ Span adaptive_window(int i, int size, int out) {
  const std::int64_t first = std::int64_t{i} * size, last = first + size;
  return {static_cast<int>(first / out), static_cast<int>((last + out - 1) / out)};
}

__device__ __forceinline__ int area(Span rows, Span columns) {
  return (rows.end - rows.begin) * (columns.end - columns.begin);
}

template <class T>
__global__ void __launch_bounds__(threads)
    max_pool_forward_kernel(Pool s, std::int64_t n, const T* x, T* y, std::int32_t* argmax) {
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, s.out_h, s.out_w);
    const T* plane = x + at.plane * s.h * s.w;
    const Span rows = s.window(at.row, s.h), columns = s.window(at.column, s.w);
    int best = rows.begin * s.w + columns.begin;
    T largest = plane[best];
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c) {
        const T value = plane[r * s.w + c];
        if (value > largest || (isnan(value) && !isnan(largest))) {
          largest = value;
          best = r * s.w + c;
        }
      }
    y[i] = largest;
    if (argmax) argmax[i] = best;
  }
}

template <class T>
__global__ void __launch_bounds__(threads)
    max_pool_backward_kernel(Pool s, std::int64_t n, const T* dy, const std::int32_t* argmax, T* dx) {
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, s.h, s.w);
    const std::int64_t first = at.plane * s.out_h * s.out_w;
    const Span rows = s.windows(at.row, s.out_h), columns = s.windows(at.column, s.out_w);
    const int here = at.row * s.w + at.column;
    T sum = 0;
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c)
        if (argmax[first + r * s.out_w + c] == here) sum += dy[first + r * s.out_w + c];
    dx[i] = sum;
  }
}

template <class T>
__global__ void __launch_bounds__(threads) avg_pool_forward_kernel(Pool s, std::int64_t n, const T* x, T* y) {
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, s.out_h, s.out_w);
    const T* plane = x + at.plane * s.h * s.w;
    const Span rows = s.window(at.row, s.h), columns = s.window(at.column, s.w);
    T sum = 0;
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c) sum += plane[r * s.w + c];
    y[i] = sum / static_cast<T>(s.counted(at.row, s.h) * s.counted(at.column, s.w));
  }
}

template <class T>
__global__ void __launch_bounds__(threads) avg_pool_backward_kernel(Pool s, std::int64_t n, const T* dy, T* dx) {
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, s.h, s.w);
    const T* plane = dy + at.plane * s.out_h * s.out_w;
    const Span rows = s.windows(at.row, s.out_h), columns = s.windows(at.column, s.out_w);
    T sum = 0;
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c)
        sum += plane[r * s.out_w + c] / static_cast<T>(s.counted(r, s.h) * s.counted(c, s.w));
    dx[i] = sum;
  }
}

/// A thread per result.
template <class T>
__global__ void __launch_bounds__(threads)
    adaptive_avg_pool_forward_kernel(AdaptivePool s, std::int64_t n, const T* x, T* y) {
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, s.out_h, s.out_w);
    const T* plane = x + at.plane * s.h * s.w;
    const Span rows = adaptive_window(at.row, s.h, s.out_h), columns = adaptive_window(at.column, s.w, s.out_w);
    double sum = 0;
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c) sum += static_cast<double>(plane[r * s.w + c]);
    y[i] = static_cast<T>(sum / area(rows, columns));
  }
}

/// A warp per result.
template <class T>
__global__ void __launch_bounds__(threads)
    adaptive_avg_pool_forward_warp_kernel(AdaptivePool s, std::int64_t n, const T* x, T* y) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * warps_of_block();
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * warps_of_block() + warp_index(); i < n; i += step) {
    const Pixel at = pixel_at(i, s.out_h, s.out_w);
    const Span rows = adaptive_window(at.row, s.h, s.out_h), columns = adaptive_window(at.column, s.w, s.out_w);
    const T* corner = x + (at.plane * s.h + rows.begin) * s.w + columns.begin;
    const int width = columns.end - columns.begin, pixels = area(rows, columns);
    double sum = 0;
    for (int p = lane_index(); p < pixels; p += warp_lanes)
      sum += static_cast<double>(corner[p / width * s.w + p % width]);
    sum = warp_sum(sum);
    if (lane_index() == 0) y[i] = static_cast<T>(sum / pixels);
  }
}

template <class T>
__global__ void __launch_bounds__(threads)
    adaptive_avg_pool_backward_kernel(AdaptivePool s, std::int64_t n, const T* dy, T* dx) {
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, s.h, s.w);
    const T* plane = dy + at.plane * s.out_h * s.out_w;
    const Span rows = adaptive_window(at.row, s.out_h, s.h), columns = adaptive_window(at.column, s.out_w, s.w);
    T sum = 0;
    for (int r = rows.begin; r < rows.end; ++r)
      for (int c = columns.begin; c < columns.end; ++c)
        sum += plane[r * s.out_w + c] /
               static_cast<T>(area(adaptive_window(r, s.h, s.out_h), adaptive_window(c, s.w, s.out_w)));
    dx[i] = sum;
  }
}

LaunchSizes sizes_of(const PoolShape& s) { return {s.planes, s.h, s.w, s.kernel, s.stride, s.padding}; }
LaunchSizes sizes_of(const AdaptivePoolShape& s) { return {s.planes, s.h, s.w, s.out_h, s.out_w}; }

/// kernel(shape, n, pointers...), a thread for each of n results.
template <class Shape, class S, class... P, class... Pointer>
void launch_each(Cuda device, const char* name, const Shape& shape, void (*kernel)(S, std::int64_t, P...),
                 std::int64_t n, Pointer... pointers) {
  if (n == 0) return;
  launch(device, {name, sizes_of(shape), grid_for(n, threads), threads}, kernel, S(shape), n, pointers...);
}

}  // namespace

template <class T>
void max_pool_forward(Cuda device, const PoolShape& s, const T* x, T* y, std::int32_t* argmax) {
  launch_each(device, "max_pool_forward", s, max_pool_forward_kernel<T>, Pool(s).results(), x, y, argmax);
}

template <class T>
void max_pool_backward(Cuda device, const PoolShape& s, const T* dy, const std::int32_t* argmax, T* dx) {
  launch_each(device, "max_pool_backward", s, max_pool_backward_kernel<T>, Pool(s).pixels(), dy, argmax, dx);
}

template <class T>
void avg_pool_forward(Cuda device, const PoolShape& s, const T* x, T* y) {
  launch_each(device, "avg_pool_forward", s, avg_pool_forward_kernel<T>, Pool(s).results(), x, y);
}

template <class T>
void avg_pool_backward(Cuda device, const PoolShape& s, const T* dy, T* dx) {
  launch_each(device, "avg_pool_backward", s, avg_pool_backward_kernel<T>, Pool(s).pixels(), dy, dx);
}

template <class T>
void adaptive_avg_pool_forward(Cuda device, const AdaptivePoolShape& s, const T* x, T* y) {
  const AdaptivePool pool(s);
  const std::int64_t n = pool.results(), pixels = ceil_div(s.h, s.out_h) * ceil_div(s.w, s.out_w);
  if (pixels < pixels_of_warp)
    return launch_each(device, "adaptive_avg_pool_forward", s, adaptive_avg_pool_forward_kernel<T>, n, x, y);
  if (n == 0) return;
  launch(device, {"adaptive_avg_pool_forward", sizes_of(s), grid_for(n, threads / warp_lanes), threads},
         adaptive_avg_pool_forward_warp_kernel<T>, pool, n, x, y);
}

template <class T>
void adaptive_avg_pool_backward(Cuda device, const AdaptivePoolShape& s, const T* dy, T* dx) {
  launch_each(device, "adaptive_avg_pool_backward", s, adaptive_avg_pool_backward_kernel<T>, AdaptivePool(s).pixels(),
              dy, dx);
}

GLIMPSE_POOLING_KERNELS(Cuda, float)
GLIMPSE_POOLING_KERNELS(Cuda, double)

}  // namespace glimpse::kernels
