// The steps of an inference plan that are not pooling: convolutions, and what follows them element by element.
//
// A convolution followed by a ReLU is one kernel where cuDNN has it. In all other cases the product is computed first,
// added to what y held where that is asked for, and a pass over y adds the bias and applies the nonlinearity. A pass
// gives a thread 16 bytes of one channel of one image.
//
// Bytes: each element of x (and of b) read once, each of y written once; the pass after a convolution reads and writes
// y. Operations: two or three an element, so memory is the limit, and folding the steps into one pass is what there is
// to gain.

#include "glimpse/kernels/inference/inference.h"

#include "glimpse/kernels/internal/planes.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;
constexpr int widest = pack_width<float>;

/// f(x) of each element; NaN stays. All threads take the same way.
template <int Width>
__device__ __forceinline__ void apply(Nonlinearity f, Pack<float, Width>& pack) {
  if (bends(f)) {
    with_functor(f, [&](auto functor) {
#pragma unroll
      for (int j = 0; j < Width; ++j) pack.v[j] = functor.apply(pack.v[j]);
    });
    return;
  }
  const Bounds bounds = bounds_of(f);
#pragma unroll
  for (int j = 0; j < Width; ++j) {
    const float low = pack.v[j] < bounds.low ? bounds.low : pack.v[j];
    pack.v[j] = low > bounds.high ? bounds.high : low;
  }
}

/// Where pack i of a slice of `packs` packs a channel lies. Pixel is (image, channel, pack).
template <int Width, class T>
__device__ __forceinline__ T* place(const Slice<T>& slice, const Pixel& at, int packs) {
  return slice.data + at.plane * slice.stride + (static_cast<std::int64_t>(at.row) * packs + at.column) * Width;
}

/// n packs, `packs` of them to a channel. scale.stride is 0 where all images have the same.
template <int Width>
__global__ void __launch_bounds__(threads)
    affine_kernel(std::int64_t n, int channels, int packs, Slice<const float> x, Slice<const float> scale,
                  const float* shift, Nonlinearity f, Slice<float> y) {
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, channels, packs);
    const float factor = scale.data ? scale.data[at.plane * scale.stride + at.row] : 1.0f;
    const float offset = shift ? shift[at.row] : 0.0f;
    Pack<float, Width> pack = load<Width>(place<Width>(x, at, packs));
#pragma unroll
    for (int j = 0; j < Width; ++j) pack.v[j] = pack.v[j] * factor + offset;
    apply(f, pack);
    store(place<Width>(y, at, packs), pack);
  }
}

template <int Width>
__global__ void __launch_bounds__(threads) add_kernel(std::int64_t n, int channels, int packs, Slice<const float> a,
                                                      Slice<const float> b, Nonlinearity f, Slice<float> y) {
  for (const std::int64_t i : grid_stride(n)) {
    const Pixel at = pixel_at(i, channels, packs);
    Pack<float, Width> pack = load<Width>(place<Width>(a, at, packs));
    const Pack<float, Width> other = load<Width>(place<Width>(b, at, packs));
#pragma unroll
    for (int j = 0; j < Width; ++j) pack.v[j] += other.v[j];
    apply(f, pack);
    store(place<Width>(y, at, packs), pack);
  }
}

LaunchSizes sizes_of(const SliceShape& s) { return {s.n, s.c, s.area}; }

void affine(Cuda device, const char* name, const SliceShape& s, Slice<const float> x, Slice<const float> scale,
            const float* shift, Nonlinearity f, Slice<float> y) {
  const std::int64_t n = s.n * s.c * s.area;
  if (n == 0) return;
  dispatch_width<widest>({{x.data, s.area}, {x.data, x.stride}, {y.data, y.stride}}, [&]<int Width>() {
    launch(device, {name, sizes_of(s), grid_for(n / Width, threads), threads}, affine_kernel<Width>, n / Width,
           static_cast<int>(s.c), static_cast<int>(s.area / Width), x, scale, shift, f, y);
  });
}

}  // namespace

void inference_affine(Cuda device, const SliceShape& s, Slice<const float> x, const float* scale, const float* shift,
                      Nonlinearity f, Slice<float> y) {
  affine(device, "inference_affine", s, x, {scale, 0}, shift, f, y);
}

void inference_multiply(Cuda device, const SliceShape& s, Slice<const float> x, Slice<const float> gate, Nonlinearity f,
                        Slice<float> y) {
  affine(device, "inference_multiply", s, x, gate, nullptr, f, y);
}

void inference_add(Cuda device, const SliceShape& s, Slice<const float> a, Slice<const float> b, Nonlinearity f,
                   Slice<float> y) {
  const std::int64_t n = s.n * s.c * s.area;
  if (n == 0) return;
  dispatch_width<widest>(
      {{a.data, s.area}, {a.data, a.stride}, {b.data, b.stride}, {y.data, y.stride}}, [&]<int Width>() {
        launch(device, {"inference_add", sizes_of(s), grid_for(n / Width, threads), threads}, add_kernel<Width>,
               n / Width, static_cast<int>(s.c), static_cast<int>(s.area / Width), a, b, f, y);
      });
}

void inference_convolution(Cuda device, const SliceConvolution& slices, const float* x, const float* weight,
                           const float* bias, Nonlinearity f, float* y) {
  const ConvolutionShape& s = slices.shape;
  if (f == Nonlinearity::relu && bias && !s.depthwise() &&
      cudnn_convolution_bias_relu(device, slices, x, weight, bias, y))
    return;
  if (s.depthwise() || !cudnn_convolution_of_slices(device, slices, x, weight, y))
    convolution_of_slices_own(device, slices, x, weight, y);
  if (!bias && f == Nonlinearity::none) return;
  inference_affine(device, {s.n, s.o, s.out_h() * s.out_w()}, {y, slices.y_stride}, nullptr, bias, f,
                   {y, slices.y_stride});
}

}  // namespace glimpse::kernels
