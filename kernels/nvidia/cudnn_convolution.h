#pragma once
// What Glimpse asks of cuDNN, without its headers. cuDNN is loaded when it is first asked for.

#include <compare>
#include <cstdint>
#include <string>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/convolution.h"

namespace glimpse::kernels {

/// "cuDNN 9.19.0", or why convolutions run without it.
std::string cudnn_description();

// As the functions of convolution.h, T being float or double, in f32 as exactly as kernels/base/precision.h says, and
// with the same bits each time. They return false, and have done nothing, where cuDNN is not installed, does not start,
// or has no deterministic algorithm for the shape within its working memory of at most 1 GiB. They throw Error naming
// the shape where it fails.
template <class T>
bool cudnn_convolution_forward(Cuda, const ConvolutionShape& shape, const T* x, const T* weight, const T* bias, T* y);
template <class T>
bool cudnn_convolution_backward_input(Cuda, const ConvolutionShape& shape, const T* dy, const T* weight, T* dx);
template <class T>
bool cudnn_convolution_backward_weight(Cuda, const ConvolutionShape& shape, const T* x, const T* dy, T* dweight);

#define GLIMPSE_CUDNN_CONVOLUTIONS(T)                                                                       \
  template bool cudnn_convolution_forward(Cuda, const ConvolutionShape&, const T*, const T*, const T*, T*); \
  template bool cudnn_convolution_backward_input(Cuda, const ConvolutionShape&, const T*, const T*, T*);    \
  template bool cudnn_convolution_backward_weight(Cuda, const ConvolutionShape&, const T*, const T*, T*);

/// A convolution of x (n,c,h,w) to y (n,o,out_h,out_w) whose images lie x_stride and y_stride elements apart.
struct SliceConvolution {
  ConvolutionShape shape;
  std::int64_t x_stride, y_stride;
  bool accumulate = false;  ///< what y held is added
  auto operator<=>(const SliceConvolution&) const = default;
};

/// y = convolution of x, and what `slices` says.
bool cudnn_convolution_of_slices(Cuda, const SliceConvolution& slices, const float* x, const float* weight, float* y);
/// y = max(0, that + bias), in one kernel.
bool cudnn_convolution_bias_relu(Cuda, const SliceConvolution& slices, const float* x, const float* weight,
                                 const float* bias, float* y);

}  // namespace glimpse::kernels
