#pragma once
// cuDNN's functions and objects as Glimpse uses them. Where the toolkit has no headers of cuDNN 9, this header defines
// nothing but GLIMPSE_HAVE_CUDNN as 0.

#if __has_include(<cudnn.h>)
#include <cudnn.h>
#if CUDNN_MAJOR >= 9
#define GLIMPSE_HAVE_CUDNN 1
#endif
#endif
#ifndef GLIMPSE_HAVE_CUDNN
#define GLIMPSE_HAVE_CUDNN 0
#endif

#if GLIMPSE_HAVE_CUDNN
#include <string>
#include <utility>

#include "glimpse/kernels/nvidia/dynamic_library.h"

namespace glimpse::cudnn {

#define GLIMPSE_CUDNN_QUOTED(x) #x
#define GLIMPSE_CUDNN_TEXT(x) GLIMPSE_CUDNN_QUOTED(x)

/// The functions by their names, less "cudnn". Constructing it throws Error where the library or one of them is
/// missing.
struct Api {
  DynamicLibrary library{"libcudnn.so." GLIMPSE_CUDNN_TEXT(CUDNN_MAJOR), "libcudnn.so"};
#define GLIMPSE_CUDNN_FUNCTION(name) \
  decltype(&::cudnn##name) name = library.symbol<decltype(&::cudnn##name)>("cudnn" #name);
  GLIMPSE_CUDNN_FUNCTION(GetVersion)
  GLIMPSE_CUDNN_FUNCTION(GetErrorString)
  GLIMPSE_CUDNN_FUNCTION(GetLastErrorString)
  GLIMPSE_CUDNN_FUNCTION(Create)
  GLIMPSE_CUDNN_FUNCTION(Destroy)
  GLIMPSE_CUDNN_FUNCTION(SetStream)
  GLIMPSE_CUDNN_FUNCTION(CreateTensorDescriptor)
  GLIMPSE_CUDNN_FUNCTION(DestroyTensorDescriptor)
  GLIMPSE_CUDNN_FUNCTION(SetTensor4dDescriptorEx)
  GLIMPSE_CUDNN_FUNCTION(CreateFilterDescriptor)
  GLIMPSE_CUDNN_FUNCTION(DestroyFilterDescriptor)
  GLIMPSE_CUDNN_FUNCTION(SetFilter4dDescriptor)
  GLIMPSE_CUDNN_FUNCTION(CreateActivationDescriptor)
  GLIMPSE_CUDNN_FUNCTION(DestroyActivationDescriptor)
  GLIMPSE_CUDNN_FUNCTION(SetActivationDescriptor)
  GLIMPSE_CUDNN_FUNCTION(CreateConvolutionDescriptor)
  GLIMPSE_CUDNN_FUNCTION(DestroyConvolutionDescriptor)
  GLIMPSE_CUDNN_FUNCTION(SetConvolution2dDescriptor)
  GLIMPSE_CUDNN_FUNCTION(SetConvolutionGroupCount)
  GLIMPSE_CUDNN_FUNCTION(SetConvolutionMathType)
  GLIMPSE_CUDNN_FUNCTION(GetConvolutionForwardAlgorithm_v7)
  GLIMPSE_CUDNN_FUNCTION(GetConvolutionBackwardDataAlgorithm_v7)
  GLIMPSE_CUDNN_FUNCTION(GetConvolutionBackwardFilterAlgorithm_v7)
  GLIMPSE_CUDNN_FUNCTION(GetConvolutionForwardWorkspaceSize)
  GLIMPSE_CUDNN_FUNCTION(GetConvolutionBackwardDataWorkspaceSize)
  GLIMPSE_CUDNN_FUNCTION(GetConvolutionBackwardFilterWorkspaceSize)
  GLIMPSE_CUDNN_FUNCTION(ConvolutionForward)
  GLIMPSE_CUDNN_FUNCTION(ConvolutionBackwardData)
  GLIMPSE_CUDNN_FUNCTION(ConvolutionBackwardFilter)
  GLIMPSE_CUDNN_FUNCTION(ConvolutionBiasActivationForward)
  GLIMPSE_CUDNN_FUNCTION(AddTensor)
#undef GLIMPSE_CUDNN_FUNCTION
};

/// Whether the library loads and starts on the device, asked once. Never throws.
bool available();
/// Why not; empty when available().
const std::string& why_unavailable();
/// Only when available().
const Api& api();

/// This thread's handle, working in `stream`. Throws Error where it cannot be made.
cudnnHandle_t handle(void* stream);

/// What cuDNN says of a failure: of its kind, and of this one.
std::string text_of(cudnnStatus_t status);
/// Throws Error for anything but success.
void check_status(cudnnStatus_t status, const char* doing);

/// A descriptor of cuDNN's. The functions are those that create and destroy it.
template <class D, cudnnStatus_t (*Api::*Create)(D*), cudnnStatus_t (*Api::*Destroy)(D)>
class Descriptor {
 public:
  Descriptor() { check_status((api().*Create)(&value_), "making a descriptor"); }
  ~Descriptor() { (api().*Destroy)(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  D get() const { return value_; }

 private:
  D value_ = nullptr;
};

using TensorDescriptor =
    Descriptor<cudnnTensorDescriptor_t, &Api::CreateTensorDescriptor, &Api::DestroyTensorDescriptor>;
using FilterDescriptor =
    Descriptor<cudnnFilterDescriptor_t, &Api::CreateFilterDescriptor, &Api::DestroyFilterDescriptor>;
using ActivationDescriptor =
    Descriptor<cudnnActivationDescriptor_t, &Api::CreateActivationDescriptor, &Api::DestroyActivationDescriptor>;
using ConvolutionDescriptor =
    Descriptor<cudnnConvolutionDescriptor_t, &Api::CreateConvolutionDescriptor, &Api::DestroyConvolutionDescriptor>;

}  // namespace glimpse::cudnn
#endif
