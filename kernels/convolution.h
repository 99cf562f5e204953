#pragma once
// 2-d convolution (cross-correlation, as in every framework) and its gradients. On the CPU in f32 by oneDNN where it is
// built in, on the GPU by cuDNN where it is installed; else by Glimpse's own kernels: direct ones for depthwise
// convolutions, im2col and a matrix product for all others.

#include <compare>
#include <cstdint>

#include "glimpse/kernels/base/device.h"

namespace glimpse::kernels {

/// Sizes of one convolution: x (n,c,h,w), weight (o,c/groups,kh,kw), bias (o), y (n,o,out_h,out_w).
struct ConvolutionShape {
  std::int64_t n, c, h, w, o, kh, kw;
  std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
  std::int64_t extra_padding = 0;  ///< more of it below and to the right; TensorFlow's "same" has an odd row there

  /// Rows that the kernel may reach, of so many of the image.
  std::int64_t padded(std::int64_t size) const { return size + 2 * padding + extra_padding; }
  std::int64_t out_h() const { return (padded(h) - dilation * (kh - 1) - 1) / stride + 1; }
  std::int64_t out_w() const { return (padded(w) - dilation * (kw - 1) - 1) / stride + 1; }
  /// One kernel of its own for each channel.
  bool depthwise() const { return groups == c && o == c && groups > 1; }
  /// The matrix of the patches that the kernel meets is the image itself.
  bool pointwise() const { return kh == 1 && kw == 1 && stride == 1 && padding == 0 && extra_padding == 0; }
  auto operator<=>(const ConvolutionShape&) const = default;
};

/// y[n,o,i,j] = bias[o] + sum over c,k,l of weight[o,c,k,l] x[n,c, i stride - padding + k dilation, j ... + l
/// dilation], x counting as 0 outside. bias may be null.
template <class T>
void convolution_forward(Cpu, const ConvolutionShape& shape, const T* x, const T* weight, const T* bias, T* y);
template <class T>
void convolution_forward(Cuda, const ConvolutionShape& shape, const T* x, const T* weight, const T* bias, T* y);
/// dx from dy (n,o,out_h,out_w).
template <class T>
void convolution_backward_input(Cpu, const ConvolutionShape& shape, const T* dy, const T* weight, T* dx);
template <class T>
void convolution_backward_input(Cuda, const ConvolutionShape& shape, const T* dy, const T* weight, T* dx);
/// dweight, summed over the images.
template <class T>
void convolution_backward_weight(Cpu, const ConvolutionShape& shape, const T* x, const T* dy, T* dweight);
template <class T>
void convolution_backward_weight(Cuda, const ConvolutionShape& shape, const T* x, const T* dy, T* dweight);
/// dbias[o] = sum of dy over images and positions, in double.
template <class T>
void convolution_backward_bias(Cpu, const ConvolutionShape& shape, const T* dy, T* dbias);
template <class T>
void convolution_backward_bias(Cuda, const ConvolutionShape& shape, const T* dy, T* dbias);

/// Glimpse's own kernels, whatever else there is.
template <class T>
void convolution_forward_own(Cpu, const ConvolutionShape& shape, const T* x, const T* weight, const T* bias, T* y);
template <class T>
void convolution_forward_own(Cuda, const ConvolutionShape& shape, const T* x, const T* weight, const T* bias, T* y);
template <class T>
void convolution_backward_input_own(Cpu, const ConvolutionShape& shape, const T* dy, const T* weight, T* dx);
template <class T>
void convolution_backward_input_own(Cuda, const ConvolutionShape& shape, const T* dy, const T* weight, T* dx);
template <class T>
void convolution_backward_weight_own(Cpu, const ConvolutionShape& shape, const T* x, const T* dy, T* dweight);
template <class T>
void convolution_backward_weight_own(Cuda, const ConvolutionShape& shape, const T* x, const T* dy, T* dweight);

#define GLIMPSE_CONVOLUTION_KERNELS(Device, T)                                                              \
  template void convolution_forward(Device, const ConvolutionShape&, const T*, const T*, const T*, T*);     \
  template void convolution_backward_input(Device, const ConvolutionShape&, const T*, const T*, T*);        \
  template void convolution_backward_weight(Device, const ConvolutionShape&, const T*, const T*, T*);       \
  template void convolution_backward_bias(Device, const ConvolutionShape&, const T*, T*);                   \
  template void convolution_forward_own(Device, const ConvolutionShape&, const T*, const T*, const T*, T*); \
  template void convolution_backward_input_own(Device, const ConvolutionShape&, const T*, const T*, T*);    \
  template void convolution_backward_weight_own(Device, const ConvolutionShape&, const T*, const T*, T*);

}  // namespace glimpse::kernels
