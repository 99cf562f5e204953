// Batch normalisation over images and positions, forward and backward.
//
// A channel is n planes of `area` neighbouring elements. Its sums are made in two launches: a block sums one chunk of
// one channel, then a warp per channel adds the chunks. How a channel is cut depends on the shape alone, and every sum
// is made in double in a fixed order, so the result is the same each time and on every device. The squares of a chunk
// are summed about the chunk's own mean, in a second reading that its cache serves, and joined with what the means of
// the chunks differ by (Chan, Golub & LeVeque 1979), so that nothing cancels. The warp also leaves what the elements of
// a channel have in common: the last launch, over all elements, has two or three operations and no root for each.
//
// Bytes: statistics read x; apply reads x and writes y; backward reads x and dy twice and writes dx. Operations: about
// 4 per element, in f64 in the sums. Memory is the limit, except for the sums on GPUs with few f64 units.

#include "glimpse/kernels/batch_norm.h"

#include "glimpse/kernels/internal/planes.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = ChannelChunks::threads;

/// sums, squares (c,chunks): of x, and of its distances from the chunk's mean. A block per chunk.
template <class T>
__global__ void __launch_bounds__(threads)
    sum_chunks_kernel(ChannelChunks s, const T* x, double* sums, double* squares) {
  const std::int64_t channel = blockIdx.x / s.number, chunk = blockIdx.x % s.number;
  double sum = 0;
  s.for_each(channel, chunk, [&](ChannelChunks::Element e) { sum += static_cast<double>(x[e.at]); });
  sum = block_sum(sum);
  const double mean = sum / static_cast<double>(s.size(chunk));
  double square = 0;
  s.for_each(channel, chunk, [&](ChannelChunks::Element e) {
    const double distance = static_cast<double>(x[e.at]) - mean;
    square += distance * distance;
  });
  square = block_sum(square);
  if (threadIdx.x != 0) return;
  sums[blockIdx.x] = sum;
  squares[blockIdx.x] = square;
}

/// sums, products (c,chunks): of dy, and of dy (x - mean).
template <class T>
__global__ void __launch_bounds__(threads) sum_gradient_chunks_kernel(ChannelChunks s, const T* x, const T* mean,
                                                                      const T* dy, double* sums, double* products) {
  const std::int64_t channel = blockIdx.x / s.number, chunk = blockIdx.x % s.number;
  const double center = static_cast<double>(mean[channel]);
  double sum = 0, product = 0;
  s.for_each(channel, chunk, [&](ChannelChunks::Element e) {
    sum += static_cast<double>(dy[e.at]);
    product += static_cast<double>(dy[e.at]) * (static_cast<double>(x[e.at]) - center);
  });
  sum = block_sum(sum);
  product = block_sum(product);
  if (threadIdx.x != 0) return;
  sums[blockIdx.x] = sum;
  products[blockIdx.x] = product;
}

template <class T>
__global__ void __launch_bounds__(threads)
    finish_statistics_kernel(ChannelChunks s, const double* sums, const double* squares, T* mean, T* variance) {
  const std::int64_t channel = ChannelChunks::channel_of_warp();
  if (channel >= s.channels) return;
  const double count = static_cast<double>(s.count), center = s.add(channel, sums) / count;
  double square = 0;
  for (std::int64_t i = lane_index(); i < s.number; i += warp_lanes) {
    const double size = static_cast<double>(s.size(i)), distance = sums[channel * s.number + i] / size - center;
    square += squares[channel * s.number + i] + size * distance * distance;
  }
  square = warp_sum(square);
  if (lane_index() != 0) return;
  mean[channel] = static_cast<T>(center);
  variance[channel] = static_cast<T>(square / count);
}

/// What the dx of a channel have in common: dx = factor (dy - offset - (x - mean) slope).
template <class T>
struct Slopes {
  T *factor, *offset, *slope;  // (c)
};

template <class T>
__global__ void __launch_bounds__(threads)
    finish_gradients_kernel(ChannelChunks s, double eps, const double* sums, const double* products, const T* variance,
                            const T* weight, T* dweight, T* dbias, Slopes<T> slopes) {
  const std::int64_t channel = ChannelChunks::channel_of_warp();
  if (channel >= s.channels) return;
  const double sum = s.add(channel, sums), product = s.add(channel, products);
  if (lane_index() != 0) return;
  const double count = static_cast<double>(s.count);
  const double scale = 1 / sqrt(static_cast<double>(variance[channel]) + eps);
  dweight[channel] = static_cast<T>(product * scale);
  dbias[channel] = static_cast<T>(sum);
  if (!slopes.factor) return;
  slopes.factor[channel] = static_cast<T>(scale * static_cast<double>(weight[channel]));
  slopes.offset[channel] = static_cast<T>(sum / count);
  slopes.slope[channel] = static_cast<T>(product * scale * scale / count);
}

/// scale = weight / sqrt(variance + eps).
template <class T>
__global__ void __launch_bounds__(threads)
    scale_kernel(std::int64_t channels, double eps, const T* variance, const T* weight, T* scale) {
  for (const std::int64_t c : grid_stride(channels))
    scale[c] = static_cast<T>(static_cast<double>(weight[c]) / sqrt(static_cast<double>(variance[c]) + eps));
}

template <class T>
__global__ void __launch_bounds__(threads)
    track_kernel(std::int64_t channels, double momentum, double unbiased, const T* mean, const T* variance,
                 T* running_mean, T* running_variance) {
  for (const std::int64_t c : grid_stride(channels)) {
    running_mean[c] =
        static_cast<T>((1 - momentum) * static_cast<double>(running_mean[c]) + momentum * static_cast<double>(mean[c]));
    running_variance[c] = static_cast<T>((1 - momentum) * static_cast<double>(running_variance[c]) +
                                         momentum * unbiased * static_cast<double>(variance[c]));
  }
}

/// y = (x - mean) scale + bias over n packs of elements; `packs` of them make a plane.
template <int Width, class T>
__global__ void __launch_bounds__(threads) apply_kernel(std::int64_t n, int channels, int packs, const T* x,
                                                        const T* mean, const T* scale, const T* bias, T* y) {
  for (const std::int64_t i : grid_stride(n)) {
    const int c = pixel_at(i, channels, packs).row;
    const T center = mean[c], factor = scale[c], shift = bias[c];
    Pack<T, Width> pack = load<Width>(x + i * Width);
#pragma unroll
    for (int j = 0; j < Width; ++j) pack.v[j] = (pack.v[j] - center) * factor + shift;
    store(y + i * Width, pack);
  }
}

/// As Slopes says; x is not read where `mean` is null: then dx = factor dy.
template <int Width, class T>
__global__ void __launch_bounds__(threads) backward_kernel(std::int64_t n, int channels, int packs, const T* x,
                                                           const T* mean, const T* dy, Slopes<T> slopes, T* dx) {
  for (const std::int64_t i : grid_stride(n)) {
    const int c = pixel_at(i, channels, packs).row;
    const T factor = slopes.factor[c];
    Pack<T, Width> gradient = load<Width>(dy + i * Width);
    if (mean) {
      const T center = mean[c], offset = slopes.offset[c], slope = slopes.slope[c];
      const Pack<T, Width> value = load<Width>(x + i * Width);
#pragma unroll
      for (int j = 0; j < Width; ++j) gradient.v[j] -= offset + (value.v[j] - center) * slope;
    }
#pragma unroll
    for (int j = 0; j < Width; ++j) gradient.v[j] *= factor;
    store(dx + i * Width, gradient);
  }
}

LaunchSizes sizes_of(const BatchNormShape& s) { return {s.n, s.c, s.area}; }

template <class T>
void launch_apply(Cuda device, const BatchNormShape& s, const T* x, const T* mean, const T* scale, const T* bias,
                  T* y) {
  dispatch_width<pack_width<T>>({{x, s.area}, {y, s.area}}, [&]<int Width>() {
    const std::int64_t n = s.n * s.c * s.area / Width;
    launch(device, {"batch_norm_apply", sizes_of(s), grid_for(n, threads), threads}, apply_kernel<Width, T>, n,
           static_cast<int>(s.c), static_cast<int>(s.area / Width), x, mean, scale, bias, y);
  });
}

template <class T>
void launch_backward(Cuda device, const BatchNormShape& s, const T* x, const T* mean, const T* dy, Slopes<T> slopes,
                     T* dx) {
  dispatch_width<pack_width<T>>({{dy, s.area}, {dx, s.area}, {x, s.area}}, [&]<int Width>() {
    const std::int64_t n = s.n * s.c * s.area / Width;
    launch(device, {"batch_norm_backward", sizes_of(s), grid_for(n, threads), threads}, backward_kernel<Width, T>, n,
           static_cast<int>(s.c), static_cast<int>(s.area / Width), x, mean, dy, slopes, dx);
  });
}

/// dweight and dbias, and the slopes if they have memory.
template <class T>
void launch_gradients(Cuda device, const BatchNormShape& s, const BatchNormInputs<T>& in, const T* dy,
                      const BatchNormGradients<T>& result, Slopes<T> slopes) {
  const ChannelChunks chunks(s.n, s.c, s.area);
  const std::int64_t blocks = chunks.blocks();
  const cuda::Scratch<double> parts(2 * blocks, device.stream, "the sums of batch_norm_backward");
  double *sums = parts.data(), *products = sums + blocks;
  launch(device, {"batch_norm_backward", sizes_of(s), grid_size(blocks), threads}, sum_gradient_chunks_kernel<T>,
         chunks, in.x, in.mean, dy, sums, products);
  launch(device, {"batch_norm_backward", sizes_of(s), chunks.grid_of_warps(), threads}, finish_gradients_kernel<T>,
         chunks, in.eps, sums, products, in.variance, in.weight, result.dweight, result.dbias, slopes);
}

template <class T>
void launch_scale(Cuda device, const BatchNormShape& s, const BatchNormInputs<T>& in, T* scale) {
  launch(device, {"batch_norm", sizes_of(s), grid_for(s.c, threads), threads}, scale_kernel<T>, s.c, in.eps,
         in.variance, in.weight, scale);
}

}  // namespace

template <class T>
void batch_norm_statistics(Cuda device, const BatchNormShape& s, const T* x, T* mean, T* variance) {
  if (s.c == 0) return;
  const ChannelChunks chunks(s.n, s.c, s.area);
  const std::int64_t blocks = chunks.blocks();
  const cuda::Scratch<double> parts(2 * blocks, device.stream, "the sums of batch_norm_statistics");
  double *sums = parts.data(), *squares = sums + blocks;
  launch(device, {"batch_norm_statistics", sizes_of(s), grid_size(blocks), threads}, sum_chunks_kernel<T>, chunks, x,
         sums, squares);
  launch(device, {"batch_norm_statistics", sizes_of(s), chunks.grid_of_warps(), threads}, finish_statistics_kernel<T>,
         chunks, sums, squares, mean, variance);
}

template <class T>
void batch_norm_track(Cuda device, const BatchNormShape& s, double momentum, const T* mean, const T* variance,
                      T* running_mean, T* running_variance) {
  if (s.c == 0) return;
  const double count = static_cast<double>(s.n * s.area);
  launch(device, {"batch_norm_track", sizes_of(s), grid_for(s.c, threads), threads}, track_kernel<T>, s.c, momentum,
         count / (count - 1), mean, variance, running_mean, running_variance);
}

template <class T>
void batch_norm_apply(Cuda device, const BatchNormShape& s, const BatchNormInputs<T>& in, const T* bias, T* y) {
  if (s.n * s.c * s.area == 0) return;
  const cuda::Scratch<T> scale(s.c, device.stream, "the scales of batch_norm_apply");
  launch_scale(device, s, in, scale.data());
  launch_apply(device, s, in.x, in.mean, scale.data(), bias, y);
}

template <class T>
void batch_norm_backward(Cuda device, const BatchNormShape& s, const BatchNormInputs<T>& in, const T* dy,
                         const BatchNormGradients<T>& result) {
  if (s.c == 0) return;
  if (!result.dx || s.n * s.area == 0) return launch_gradients(device, s, in, dy, result, Slopes<T>{});
  const cuda::Scratch<T> common(3 * s.c, device.stream, "the slopes of batch_norm_backward");
  const Slopes<T> slopes{common.data(), common.data() + s.c, common.data() + 2 * s.c};
  launch_gradients(device, s, in, dy, result, slopes);
  launch_backward(device, s, in.x, in.mean, dy, slopes, result.dx);
}

template <class T>
void batch_norm_backward_frozen(Cuda device, const BatchNormShape& s, const BatchNormInputs<T>& in, const T* dy,
                                const BatchNormGradients<T>& result) {
  if (s.c == 0) return;
  if (result.dweight) launch_gradients(device, s, in, dy, result, Slopes<T>{});
  if (!result.dx || s.n * s.area == 0) return;
  const cuda::Scratch<T> scale(s.c, device.stream, "the scales of batch_norm_backward");
  launch_scale(device, s, in, scale.data());
  launch_backward<T>(device, s, nullptr, nullptr, dy, Slopes<T>{scale.data(), nullptr, nullptr}, result.dx);
}

GLIMPSE_BATCH_NORM_KERNELS(Cuda, float)
GLIMPSE_BATCH_NORM_KERNELS(Cuda, double)

}  // namespace glimpse::kernels
