// 2-d convolution and its gradients. cuDNN does what it can do deterministically (nvidia/cudnn_convolution.h), except
// for depthwise convolutions; here is the rest, and everything where there is no cuDNN.
//
// In general, image by image and group by group, the pixels that each weight meets are laid out as a matrix of patches
// (c/groups kh kw, out_h out_w), and the convolution is a matrix product with it: y = weight patches. Backward, the
// product weight^T dy gives the gradient of the patches, from which each pixel gathers what belongs to it, and dy
// patches^T is the image's part of dweight; products of later images add to those of earlier ones. A convolution by 1x1
// needs no patches: the image is the matrix. In a depthwise convolution the product would be of a vector: there a
// thread makes one y, or one dx, directly, and dweight is a sum over a channel for each tap (planes.cuh). No kernel
// scatters, so nothing is added atomically, and the order of all sums is fixed.
//
// Bytes: the patches are kh kw times the image, written once and read by the product; a depthwise convolution reads x
// and writes y. Operations: 2 o c/groups kh kw out_h out_w per image, the product's. What is here moves memory.

#include "glimpse/kernels/convolution.h"

#include "glimpse/kernels/gemm.h"
#include "glimpse/kernels/inference/inference.h"
#include "glimpse/kernels/internal/planes.cuh"
#include "glimpse/kernels/nvidia/cudnn_convolution.h"

namespace glimpse::kernels {
namespace {

using Shape = ConvolutionShape;

constexpr unsigned threads = ChannelChunks::threads;

/// How the planes of x and y and the taps of the kernel lie to each other.
struct Geometry {
  int h, w, out_h, out_w, kh, kw, stride, padding, dilation;
  explicit Geometry(const Shape& s)
      : h(static_cast<int>(s.h)),
        w(static_cast<int>(s.w)),
        out_h(static_cast<int>(s.out_h())),
        out_w(static_cast<int>(s.out_w())),
        kh(static_cast<int>(s.kh)),
        kw(static_cast<int>(s.kw)),
        stride(static_cast<int>(s.stride)),
        padding(static_cast<int>(s.padding)),
        dilation(static_cast<int>(s.dilation)) {}

  /// The row (or column) of x that row i of y and tap k meet; it may lie outside.
  __device__ __forceinline__ int met(int i, int k) const { return i * stride - padding + k * dilation; }
  __device__ __forceinline__ bool inside(int row, int column) const {
    return row >= 0 && row < h && column >= 0 && column < w;
  }
  /// The row (or column) of y that meets row r of x with tap k; negative where there is none.
  __device__ __forceinline__ int meets(int r, int k, int out) const {
    const int offset = r + padding - k * dilation;
    return offset % stride == 0 && offset / stride < out ? offset / stride : -1;
  }
};

/// patches (channels kh kw, out_h out_w) of x (channels,h,w); n = channels out_h out_w.
template <class T>
__global__ void __launch_bounds__(threads) image_to_patches_kernel(Geometry g, std::int64_t n, const T* x, T* patches) {
  const std::int64_t cells = static_cast<std::int64_t>(g.out_h) * g.out_w;
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, g.out_h, g.out_w);
    const T* plane = x + at.plane * g.h * g.w;
    T* to = patches + at.plane * g.kh * g.kw * cells + at.row * g.out_w + at.column;
    for (int k = 0; k < g.kh; ++k)
      for (int l = 0; l < g.kw; ++l, to += cells) {
        const int row = g.met(at.row, k), column = g.met(at.column, l);
        *to = g.inside(row, column) ? plane[row * g.w + column] : T(0);
      }
  }
}

/// The transpose of image_to_patches: each pixel of x (channels,h,w) becomes the sum of its places in the patches.
template <class T>
__global__ void __launch_bounds__(threads) patches_to_image_kernel(Geometry g, std::int64_t n, const T* patches, T* x) {
  const std::int64_t cells = static_cast<std::int64_t>(g.out_h) * g.out_w;
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, g.h, g.w);
    const T* from = patches + at.plane * g.kh * g.kw * cells;
    T sum = 0;
    for (int k = 0; k < g.kh; ++k) {
      const int row = g.meets(at.row, k, g.out_h);
      for (int l = 0; l < g.kw; ++l, from += cells) {
        const int column = g.meets(at.column, l, g.out_w);
        if (row >= 0 && column >= 0) sum += from[row * g.out_w + column];
      }
    }
    x[i] = sum;
  }
}

/// x (images,channels,h,w), weight (channels,kh,kw), y (images,channels,out_h,out_w) of n elements; images x_stride and
/// y_stride elements apart.
template <class T>
__global__ void __launch_bounds__(threads)
    depthwise_forward_kernel(Geometry g, int channels, std::int64_t n, const T* x, std::int64_t x_stride,
                             const T* weight, const T* bias, bool accumulate, T* y, std::int64_t y_stride) {
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, g.out_h, g.out_w);
    const std::int64_t image = at.plane / channels;
    const auto channel = static_cast<int>(at.plane - image * channels);
    const T* plane = x + image * x_stride + static_cast<std::int64_t>(channel) * g.h * g.w;
    const T* w = weight + channel * g.kh * g.kw;
    T* to = y + image * y_stride + (static_cast<std::int64_t>(channel) * g.out_h + at.row) * g.out_w + at.column;
    T sum = bias ? bias[channel] : T(0);
    for (int k = 0; k < g.kh; ++k)
      for (int l = 0; l < g.kw; ++l) {
        const int row = g.met(at.row, k), column = g.met(at.column, l);
        if (g.inside(row, column)) sum += w[k * g.kw + l] * plane[row * g.w + column];
      }
    *to = accumulate ? *to + sum : sum;
  }
}

template <class T>
__global__ void __launch_bounds__(threads)
    depthwise_backward_input_kernel(Geometry g, int channels, std::int64_t n, const T* dy, const T* weight, T* dx) {
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, g.h, g.w);
    const T* plane = dy + at.plane * g.out_h * g.out_w;
    const T* w = weight + at.plane % channels * g.kh * g.kw;
    T sum = 0;
    for (int k = 0; k < g.kh; ++k) {
      const int row = g.meets(at.row, k, g.out_h);
      for (int l = 0; l < g.kw; ++l) {
        const int column = g.meets(at.column, l, g.out_w);
        if (row >= 0 && column >= 0) sum += w[k * g.kw + l] * plane[row * g.out_w + column];
      }
    }
    dx[i] = sum;
  }
}

/// parts (channels,taps,chunks): the sums of x dy over a chunk of a channel of dy, for each tap. A block each.
template <class T>
__global__ void __launch_bounds__(threads)
    depthwise_backward_weight_kernel(Geometry g, ChannelChunks s, const T* x, const T* dy, double* parts) {
  const std::int64_t chunk = blockIdx.x % s.number, row_of_parts = blockIdx.x / s.number;
  const int taps = g.kh * g.kw;
  const std::int64_t channel = row_of_parts / taps;
  const int tap = static_cast<int>(row_of_parts % taps), k = tap / g.kw, l = tap % g.kw;
  double sum = 0;
  s.for_each(channel, chunk, [&](ChannelChunks::Element e) {
    const int place = static_cast<int>(e.place), i = place / g.out_w;
    const int row = g.met(i, k), column = g.met(place - i * g.out_w, l);
    if (g.inside(row, column))
      sum += static_cast<double>(x[((e.image * s.channels + channel) * g.h + row) * g.w + column]) *
             static_cast<double>(dy[e.at]);
  });
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

/// parts (o,chunks): the sums of dy over a chunk of a channel.
template <class T>
__global__ void __launch_bounds__(threads) sum_channels_kernel(ChannelChunks s, const T* dy, double* parts) {
  double sum = 0;
  s.for_each(blockIdx.x / s.number, blockIdx.x % s.number,
             [&](ChannelChunks::Element e) { sum += static_cast<double>(dy[e.at]); });
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

/// y (rows) = sums of the chunks of parts (rows,chunks), a warp each.
template <class T>
__global__ void __launch_bounds__(threads)
    add_parts_kernel(ChannelChunks s, std::int64_t rows, const double* parts, T* y) {
  const std::int64_t row = ChannelChunks::channel_of_warp();
  if (row >= rows) return;
  const double sum = s.add(row, parts);
  if (lane_index() == 0) y[row] = static_cast<T>(sum);
}

/// y[n,o,.] = bias[o].
template <class T>
__global__ void __launch_bounds__(threads)
    fill_with_bias_kernel(std::int64_t n, int channels, int cells, const T* bias, T* y) {
  for (const std::int64_t i : grid_stride(n)) y[i] = bias[pixel_at(i, channels, cells).row];
}

LaunchSizes sizes_of(const Shape& s) { return {s.n, s.c, s.h, s.w, s.o, s.kh}; }

/// y (rows) from parts (rows,chunks).
template <class T>
void add_parts(Cuda device, const char* name, const Shape& s, const ChannelChunks& chunks, std::int64_t rows,
               const double* parts, T* y) {
  launch(device, {name, sizes_of(s), grid_size(ceil_div(rows, threads / warp_lanes)), threads}, add_parts_kernel<T>,
         chunks, rows, parts, y);
}

/// Sizes of the product of one group, and the matrix of patches. weight (rows,depth) times patches (depth,cells).
template <class T>
class Products {
 public:
  Products(Cuda device, const Shape& s)
      : rows(s.o / s.groups),
        depth(s.c / s.groups * s.kh * s.kw),
        cells(s.out_h() * s.out_w()),
        device_(device),
        shape_(s),
        patches_(s.pointwise() ? 0 : depth * cells, device.stream, "the patches of a convolution") {}

  const std::int64_t rows, depth, cells;

  /// One group of one image, images being as far apart as given.
  std::int64_t x_offset(std::int64_t image, std::int64_t group, std::int64_t stride) const {
    return image * stride + group * (shape_.c / shape_.groups) * shape_.h * shape_.w;
  }
  std::int64_t x_offset(std::int64_t image, std::int64_t group) const {
    return x_offset(image, group, shape_.c * shape_.h * shape_.w);
  }
  std::int64_t y_offset(std::int64_t image, std::int64_t group, std::int64_t stride) const {
    return image * stride + group * rows * cells;
  }
  std::int64_t y_offset(std::int64_t image, std::int64_t group) const {
    return y_offset(image, group, shape_.o * cells);
  }
  std::int64_t weight_offset(std::int64_t group) const { return group * rows * depth; }

  /// The patches of one group's image (c/groups,h,w): the image itself where that is enough.
  const T* patches_of(const T* image) {
    if (shape_.pointwise()) return image;
    const std::int64_t n = shape_.c / shape_.groups * cells;
    launch(device_, {"convolution patches", sizes_of(shape_), grid_for(n, threads), threads},
           image_to_patches_kernel<T>, Geometry(shape_), n, image, patches_.data());
    return patches_.data();
  }
  /// Memory for patches that image_of will add up to `image`.
  T* patches_for(T* image) { return shape_.pointwise() ? image : patches_.data(); }
  void image_of(T* image) {
    if (shape_.pointwise()) return;
    const std::int64_t n = shape_.c / shape_.groups * shape_.h * shape_.w;
    launch(device_, {"convolution patches backward", sizes_of(shape_), grid_for(n, threads), threads},
           patches_to_image_kernel<T>, Geometry(shape_), n, patches_.data(), image);
  }

 private:
  Cuda device_;
  const Shape& shape_;
  cuda::Scratch<T> patches_;
};

template <class T>
void depthwise_forward(Cuda device, const Shape& s, const T* x, std::int64_t x_stride, const T* weight, const T* bias,
                       bool accumulate, T* y, std::int64_t y_stride) {
  const std::int64_t n = s.n * s.c * s.out_h() * s.out_w();
  launch(device, {"convolution_forward", sizes_of(s), grid_for(n, threads), threads}, depthwise_forward_kernel<T>,
         Geometry(s), static_cast<int>(s.c), n, x, x_stride, weight, bias, accumulate, y, y_stride);
}

/// y = weight times the patches of x, plus what y held if `accumulate`.
template <class T>
void multiply_patches(Cuda device, const Shape& s, const T* x, std::int64_t x_stride, const T* weight, bool accumulate,
                      T* y, std::int64_t y_stride) {
  Products<T> p(device, s);
  for (std::int64_t i = 0; i < s.n; ++i)
    for (std::int64_t g = 0; g < s.groups; ++g)
      gemm(device, p.rows, p.cells, p.depth, T(1), Operand<T>{weight + p.weight_offset(g), p.depth},
           Operand<T>{p.patches_of(x + p.x_offset(i, g, x_stride)), p.cells}, T(accumulate ? 1 : 0),
           y + p.y_offset(i, g, y_stride), p.cells);
}

template <class T>
void depthwise_backward_weight(Cuda device, const Shape& s, const T* x, const T* dy, T* dweight) {
  const ChannelChunks chunks(s.n, s.c, s.out_h() * s.out_w());
  const std::int64_t taps = s.kh * s.kw;
  const cuda::Scratch<double> parts(chunks.blocks() * taps, device.stream, "the sums of a convolution's gradient");
  launch(device, {"convolution_backward_weight", sizes_of(s), grid_size(chunks.blocks() * taps), threads},
         depthwise_backward_weight_kernel<T>, Geometry(s), chunks, x, dy, parts.data());
  add_parts(device, "convolution_backward_weight", s, chunks, s.c * taps, parts.data(), dweight);
}

}  // namespace

template <class T>
void convolution_forward_own(Cuda device, const Shape& s, const T* x, const T* weight, const T* bias, T* y) {
  const std::int64_t cells = s.out_h() * s.out_w(), n = s.n * s.o * cells;
  if (n == 0) return;
  const std::int64_t x_stride = s.c * s.h * s.w, y_stride = s.o * cells;
  if (s.depthwise()) return depthwise_forward(device, s, x, x_stride, weight, bias, false, y, y_stride);
  if (bias)
    launch(device, {"convolution_forward", sizes_of(s), grid_for(n, threads), threads}, fill_with_bias_kernel<T>, n,
           static_cast<int>(s.o), static_cast<int>(cells), bias, y);
  multiply_patches(device, s, x, x_stride, weight, bias != nullptr, y, y_stride);
}

void convolution_of_slices_own(Cuda device, const SliceConvolution& slices, const float* x, const float* weight,
                               float* y) {
  const Shape& s = slices.shape;
  if (s.n * s.out_h() * s.out_w() == 0) return;
  if (s.depthwise())
    depthwise_forward<float>(device, s, x, slices.x_stride, weight, nullptr, slices.accumulate, y, slices.y_stride);
  else
    multiply_patches(device, s, x, slices.x_stride, weight, slices.accumulate, y, slices.y_stride);
}

template <class T>
void convolution_backward_input_own(Cuda device, const Shape& s, const T* dy, const T* weight, T* dx) {
  const std::int64_t n = s.n * s.c * s.h * s.w;
  if (n == 0) return;
  if (s.depthwise())
    return launch(device, {"convolution_backward_input", sizes_of(s), grid_for(n, threads), threads},
                  depthwise_backward_input_kernel<T>, Geometry(s), static_cast<int>(s.c), n, dy, weight, dx);
  Products<T> p(device, s);
  for (std::int64_t i = 0; i < s.n; ++i)
    for (std::int64_t g = 0; g < s.groups; ++g) {
      T* image = dx + p.x_offset(i, g);
      gemm(device, p.depth, p.cells, p.rows, T(1), Operand<T>{weight + p.weight_offset(g), p.depth, true},
           Operand<T>{dy + p.y_offset(i, g), p.cells}, T(0), p.patches_for(image), p.cells);
      p.image_of(image);
    }
}

template <class T>
void convolution_backward_weight_own(Cuda device, const Shape& s, const T* x, const T* dy, T* dweight) {
  if (s.depthwise()) return depthwise_backward_weight(device, s, x, dy, dweight);
  Products<T> p(device, s);
  if (s.n == 0) cuda::fill_bytes(dweight, 0, static_cast<std::size_t>(s.o * p.depth) * sizeof(T), device.stream);
  for (std::int64_t i = 0; i < s.n; ++i)
    for (std::int64_t g = 0; g < s.groups; ++g)
      gemm(device, p.rows, p.depth, p.cells, T(1), Operand<T>{dy + p.y_offset(i, g), p.cells},
           Operand<T>{p.patches_of(x + p.x_offset(i, g)), p.cells, true}, T(i == 0 ? 0 : 1),
           dweight + p.weight_offset(g), p.depth);
}

template <class T>
void convolution_forward(Cuda device, const Shape& s, const T* x, const T* weight, const T* bias, T* y) {
  if (s.depthwise() || !cudnn_convolution_forward(device, s, x, weight, bias, y))
    convolution_forward_own(device, s, x, weight, bias, y);
}

template <class T>
void convolution_backward_input(Cuda device, const Shape& s, const T* dy, const T* weight, T* dx) {
  if (s.depthwise() || !cudnn_convolution_backward_input(device, s, dy, weight, dx))
    convolution_backward_input_own(device, s, dy, weight, dx);
}

template <class T>
void convolution_backward_weight(Cuda device, const Shape& s, const T* x, const T* dy, T* dweight) {
  if (s.depthwise() || !cudnn_convolution_backward_weight(device, s, x, dy, dweight))
    convolution_backward_weight_own(device, s, x, dy, dweight);
}

template <class T>
void convolution_backward_bias(Cuda device, const Shape& s, const T* dy, T* dbias) {
  const ChannelChunks chunks(s.n, s.o, s.out_h() * s.out_w());
  const cuda::Scratch<double> parts(chunks.blocks(), device.stream, "the sums of a convolution's gradient");
  launch(device, {"convolution_backward_bias", sizes_of(s), grid_size(chunks.blocks()), threads},
         sum_channels_kernel<T>, chunks, dy, parts.data());
  add_parts(device, "convolution_backward_bias", s, chunks, s.o, parts.data(), dbias);
}

GLIMPSE_CONVOLUTION_KERNELS(Cuda, float)
GLIMPSE_CONVOLUTION_KERNELS(Cuda, double)

}  // namespace glimpse::kernels
