// From the bytes of images (n,pixels,3) to normalised planes (n,3,pixels).
//
// A block first works out what each of the 3 x 256 possible bytes becomes, in shared memory, so that the two exact
// divisions are not done for every pixel, and then looks pixels up. A thread takes four pixels at a time: twelve
// neighbouring bytes in, sixteen out in each of three planes.
//
// Bytes: 3 in and 12 out per pixel. Operations: three look-ups per pixel, 768 x 3 per block; memory is the limit.

#include "glimpse/kernels/image_normalize.h"

#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;
constexpr int channels = 3, values = 256;

/// n images of `packs` packs of Width pixels.
template <int Width>
__global__ void __launch_bounds__(threads)
    image_normalize_kernel(std::int64_t n, std::int64_t packs, Normalization normalization, const std::uint8_t* rgb,
                           float* y) {
  SHARED(float, table, [channels][values]);
  for (int v = static_cast<int>(threadIdx.x); v < values; v += threads)
#pragma unroll
    for (int c = 0; c < channels; ++c) table[c][v] = normalization(v, c);
  __syncthreads();
  for (const std::int64_t i : grid_stride(n * packs)) {
    const std::int64_t image = i / packs, pack = i - image * packs;
    std::uint8_t bytes[channels * Width];
#pragma unroll
    for (int part = 0; part < channels; ++part) {
      const auto four = load<Width>(rgb + (i * channels + part) * Width);
#pragma unroll
      for (int j = 0; j < Width; ++j) bytes[part * Width + j] = four.v[j];
    }
#pragma unroll
    for (int c = 0; c < channels; ++c) {
      Pack<float, Width> result;
#pragma unroll
      for (int j = 0; j < Width; ++j) result.v[j] = table[c][bytes[j * channels + c]];
      store(y + ((image * channels + c) * packs + pack) * Width, result);
    }
  }
}

}  // namespace

void image_normalize(Cuda device, std::int64_t n, std::int64_t pixels, const Normalization& normalization,
                     const std::uint8_t* rgb, float* y) {
  if (n * pixels == 0) return;
  dispatch_width<4>({{rgb, pixels}, {y, pixels}}, [&]<int Width>() {
    launch(device, {"image_normalize", {n, pixels}, grid_for(n * pixels / Width, threads), threads},
           image_normalize_kernel<Width>, n, pixels / Width, normalization, rgb, y);
  });
}

}  // namespace glimpse::kernels
