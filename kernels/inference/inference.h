#pragma once
// The steps of an inference plan on a GPU: f32 images in planes (n,c,h,w), in buffers of which a step reads and writes
// some channels. Forward only.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/inference/blocked.h"
#include "glimpse/kernels/nvidia/cudnn_convolution.h"

namespace glimpse::kernels {

/// Some channels of n images: plane c of image i begins at data + i stride + c area.
template <class T>
struct Slice {
  T* data;
  std::int64_t stride;
};

/// How many images, channels and pixels a step covers.
struct SliceShape {
  std::int64_t n, c, area;
};

/// y = f(convolution of x + bias, plus what y held if slices.accumulate). bias (o) may be null.
void inference_convolution(Cuda, const SliceConvolution& slices, const float* x, const float* weight, const float* bias,
                           Nonlinearity f, float* y);
/// y = f(x scale + shift); scale, shift (c), null for 1 and 0. y may be x.
void inference_affine(Cuda, const SliceShape& shape, Slice<const float> x, const float* scale, const float* shift,
                      Nonlinearity f, Slice<float> y);
/// y = f(a + b). y may be a or b.
void inference_add(Cuda, const SliceShape& shape, Slice<const float> a, Slice<const float> b, Nonlinearity f,
                   Slice<float> y);
/// y = f(x gate): plane c of image i times gate.data[i gate.stride + c]. y may be x.
void inference_multiply(Cuda, const SliceShape& shape, Slice<const float> x, Slice<const float> gate, Nonlinearity f,
                        Slice<float> y);
/// y = convolution of x, and what `slices` says, by Glimpse's own kernels.
void convolution_of_slices_own(Cuda, const SliceConvolution& slices, const float* x, const float* weight, float* y);

}  // namespace glimpse::kernels
