// There is no cuDNN for the emulator: convolutions run by Glimpse's own kernels.

#include "glimpse/kernels/nvidia/cudnn_convolution.h"

namespace glimpse::kernels {

std::string cudnn_description() { return "no cuDNN: the device is emulated"; }

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

#define GLIMPSE_CUDNN(T)                                                                                    \
  template bool cudnn_convolution_forward(Cuda, const ConvolutionShape&, const T*, const T*, const T*, T*); \
  template bool cudnn_convolution_backward_input(Cuda, const ConvolutionShape&, const T*, const T*, T*);    \
  template bool cudnn_convolution_backward_weight(Cuda, const ConvolutionShape&, const T*, const T*, T*);
GLIMPSE_CUDNN(float)
GLIMPSE_CUDNN(double)
#undef GLIMPSE_CUDNN

}  // namespace glimpse::kernels
