#pragma once
// The functions of cudnn_convolution.h where there is no cuDNN, but for cudnn_description(): none has done anything.
// Defined here, so included by one file of a library.

#include "glimpse/kernels/nvidia/cudnn_convolution.h"

namespace glimpse::kernels {

template <class T>
bool cudnn_convolution_forward(Cuda, const ConvolutionShape&, const T*, const T*, const T*, T*) {
  return false;
}
template <class T>
bool cudnn_convolution_backward_input(Cuda, const ConvolutionShape&, const T*, const T*, T*) {
  return false;
}
template <class T>
bool cudnn_convolution_backward_weight(Cuda, const ConvolutionShape&, const T*, const T*, T*) {
  return false;
}
bool cudnn_convolution_of_slices(Cuda, const SliceConvolution&, const float*, const float*, float*) { return false; }
bool cudnn_convolution_bias_relu(Cuda, const SliceConvolution&, const float*, const float*, const float*, float*) {
  return false;
}

}  // namespace glimpse::kernels
