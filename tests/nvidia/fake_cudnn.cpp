// A libcudnn that computes convolutions on the host by the definition, so that how Glimpse calls cuDNN is proven where
// there is no GPU: it stops at descriptors that do not fit each other, at algorithms that were not to be chosen, and at
// a precision that was not asked for. The prototypes are those of cudnn.h.
#include <cudnn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fake_library.h"

struct cudnnContext {};
struct cudnnTensorStruct {
  cudnnDataType_t type;
  int n, c, h, w, stride_n, stride_c, stride_h, stride_w;
};
struct cudnnFilterStruct {
  cudnnDataType_t type;
  int o, c, h, w;
};
struct cudnnConvolutionStruct {
  int padding_h, padding_w, stride_h, stride_w, dilation_h, dilation_w, groups;
  cudnnDataType_t type;
  cudnnMathType_t math;
};
struct cudnnActivationStruct {
  cudnnActivationMode_t mode;
};

namespace {

using X = cudnnTensorDescriptor_t;
using W = cudnnFilterDescriptor_t;
using C = cudnnConvolutionDescriptor_t;
using H = cudnnHandle_t;
using Status = cudnnStatus_t;

constexpr int good = 1, greedy = 4, slow = 0;  // numbers of algorithms
constexpr std::size_t working_memory = 1000;

bool tf32_wanted() { return std::getenv("FAKE_CUDNN_TF32") != nullptr; }

bool planes_packed(X x) {
  return x->stride_n >= x->c * x->stride_c && x->stride_c == x->h * x->w && x->stride_h == x->w && x->stride_w == 1;
}

void check_shapes(X x, W w, C c, X y) {
  REQUIRE(x->type == w->type && x->type == y->type && x->type == c->type);
  REQUIRE(x->n == y->n && w->c * c->groups == x->c && w->o == y->c);
  REQUIRE(y->h == (x->h + 2 * c->padding_h - c->dilation_h * (w->h - 1) - 1) / c->stride_h + 1);
  REQUIRE(y->w == (x->w + 2 * c->padding_w - c->dilation_w * (w->w - 1) - 1) / c->stride_w + 1);
  REQUIRE(planes_packed(x) && planes_packed(y));
}

/// One that works comes after five that must not be taken: not supported, not deterministic, too much memory, another
/// precision than was asked for, ...
template <class Performance>
Status recommend(C c, int room, int* count, Performance* list) {
  constexpr int answers = 6;
  REQUIRE(room >= answers);
  const bool exact = c->math == CUDNN_FMA_MATH;
  for (int i = 0; i < answers; ++i) {
    list[i] = Performance{};
    list[i].algo = static_cast<decltype(list[i].algo)>(slow);
    list[i].status = CUDNN_STATUS_SUCCESS;
    list[i].determinism = CUDNN_DETERMINISTIC;
    list[i].mathType = exact ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH;
  }
  list[0].status = CUDNN_STATUS_NOT_SUPPORTED;
  list[1].determinism = CUDNN_NON_DETERMINISTIC;
  list[2].algo = static_cast<decltype(list[2].algo)>(greedy);
  list[3].mathType = exact ? CUDNN_TENSOR_OP_MATH : CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION;
  list[4].algo = static_cast<decltype(list[4].algo)>(good);
  *count = answers;
  return CUDNN_STATUS_SUCCESS;
}

Status size_of(int algorithm, std::size_t* bytes) {
  *bytes = algorithm == greedy ? std::size_t{3} << 30 : algorithm == good ? working_memory : 0;
  return CUDNN_STATUS_SUCCESS;
}

void check_choice(C c, int algorithm, void* memory, std::size_t bytes) {
  REQUIRE(algorithm == good && bytes == working_memory);
  REQUIRE(c->math == (tf32_wanted() && c->type == CUDNN_DATA_FLOAT ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH));
  std::memset(real(memory), 0x55, bytes);
}

/// Calls body(offset in x, in the weights, in y) for each product.
template <class Body>
void for_products(X x, W w, C c, X y, Body body) {
  for (int n = 0; n < x->n; ++n)
    for (int o = 0; o < w->o; ++o)
      for (int i = 0; i < y->h * y->w; ++i)
        for (int tap = 0; tap < w->c * w->h * w->w; ++tap) {
          const int channel = o / (w->o / c->groups) * w->c + tap / (w->h * w->w);
          const int row = i / y->w * c->stride_h - c->padding_h + tap / w->w % w->h * c->dilation_h;
          const int column = i % y->w * c->stride_w - c->padding_w + tap % w->w * c->dilation_w;
          if (row < 0 || column < 0 || row >= x->h || column >= x->w) continue;
          body(n * x->stride_n + channel * x->stride_c + row * x->stride_h + column, o * w->c * w->h * w->w + tap,
               n * y->stride_n + o * y->stride_c + i);
        }
}

/// body(offset, channel) for each element.
template <class Body>
void for_elements(X y, Body body) {
  for (int n = 0; n < y->n; ++n)
    for (int o = 0; o < y->c; ++o)
      for (int i = 0; i < y->h * y->w; ++i) body(n * y->stride_n + o * y->stride_c + i, o);
}

/// Puts the places on the host of all these arrays of the device.
template <class... P>
void find(P&... arrays) {
  ((arrays = real(arrays)), ...);
}

/// Calls body(T{}) with the type of the data.
template <class Body>
void with_type(cudnnDataType_t type, Body body) {
  REQUIRE(type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_DOUBLE);
  if (type == CUDNN_DATA_FLOAT)
    body.template operator()<float>();
  else
    body.template operator()<double>();
}

template <class T>
double at(const void* values, int i) {
  return static_cast<double>(static_cast<const T*>(values)[i]);
}

/// y = convolution + factor y + bias (which may be null), at least `least`.
template <class T>
void forward(X x, const void* xs, W w, const void* ws, C c, double factor, const void* bias, double least, X y,
             void* ys) {
  std::vector<double> sum(static_cast<std::size_t>(y->n * y->stride_n));
  for_products(x, w, c, y, [&](int i, int k, int o) { sum[o] += at<T>(xs, i) * at<T>(ws, k); });
  for_elements(y, [&](int i, int channel) {
    double value = sum[i] + (bias ? at<T>(bias, channel) : 0);
    if (factor != 0) value += factor * at<T>(ys, i);
    static_cast<T*>(ys)[i] = static_cast<T>(value < least ? least : value);
  });
}

constexpr double no_bound = -1e300;

}  // namespace

extern "C" {

std::size_t cudnnGetVersion() { return CUDNN_VERSION; }
const char* cudnnGetErrorString(Status) { return "FAKE_STATUS"; }
void cudnnGetLastErrorString(char* text, std::size_t bytes) { std::snprintf(text, bytes, "details"); }
Status cudnnCreate(H* h) {
  *h = new cudnnContext;
  return std::getenv("FAKE_CUDNN_BROKEN") ? CUDNN_STATUS_NOT_INITIALIZED : CUDNN_STATUS_SUCCESS;
}
Status cudnnDestroy(H h) { return delete h, CUDNN_STATUS_SUCCESS; }
Status cudnnSetStream(H, cudaStream_t) { return CUDNN_STATUS_SUCCESS; }

#define FAKE_DESCRIPTOR(kind)                                          \
  Status cudnnCreate##kind##Descriptor(cudnn##kind##Descriptor_t* d) { \
    *d = new cudnn##kind##Struct{};                                    \
    return CUDNN_STATUS_SUCCESS;                                       \
  }                                                                    \
  Status cudnnDestroy##kind##Descriptor(cudnn##kind##Descriptor_t d) { return delete d, CUDNN_STATUS_SUCCESS; }
FAKE_DESCRIPTOR(Tensor)
FAKE_DESCRIPTOR(Filter)
FAKE_DESCRIPTOR(Convolution)
FAKE_DESCRIPTOR(Activation)
#undef FAKE_DESCRIPTOR

Status cudnnSetTensor4dDescriptorEx(X x, cudnnDataType_t type, int n, int c, int h, int w, int stride_n, int stride_c,
                                    int stride_h, int stride_w) {
  *x = {type, n, c, h, w, stride_n, stride_c, stride_h, stride_w};
  return n > 0 && c > 0 && h > 0 && w > 0 ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}
Status cudnnSetFilter4dDescriptor(W w, cudnnDataType_t type, cudnnTensorFormat_t format, int o, int c, int h,
                                  int width) {
  *w = {type, o, c, h, width};
  return format == CUDNN_TENSOR_NCHW ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}
Status cudnnSetConvolution2dDescriptor(C c, int padding_h, int padding_w, int stride_h, int stride_w, int dilation_h,
                                       int dilation_w, cudnnConvolutionMode_t mode, cudnnDataType_t type) {
  *c = {padding_h, padding_w, stride_h, stride_w, dilation_h, dilation_w, 1, type, CUDNN_DEFAULT_MATH};
  return mode == CUDNN_CROSS_CORRELATION ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}
Status cudnnSetConvolutionGroupCount(C c, int groups) { return c->groups = groups, CUDNN_STATUS_SUCCESS; }
Status cudnnSetConvolutionMathType(C c, cudnnMathType_t math) { return c->math = math, CUDNN_STATUS_SUCCESS; }
Status cudnnSetActivationDescriptor(cudnnActivationDescriptor_t d, cudnnActivationMode_t mode, cudnnNanPropagation_t,
                                    double) {
  return d->mode = mode, CUDNN_STATUS_SUCCESS;
}

Status cudnnGetConvolutionForwardAlgorithm_v7(H, const X x, const W w, const C c, const X y, const int room, int* count,
                                              cudnnConvolutionFwdAlgoPerf_t* list) {
  return check_shapes(x, w, c, y), recommend(c, room, count, list);
}
Status cudnnGetConvolutionBackwardDataAlgorithm_v7(H, const W w, const X y, const C c, const X x, const int room,
                                                   int* count, cudnnConvolutionBwdDataAlgoPerf_t* list) {
  return check_shapes(x, w, c, y), recommend(c, room, count, list);
}
Status cudnnGetConvolutionBackwardFilterAlgorithm_v7(H, const X x, const X y, const C c, const W w, const int room,
                                                     int* count, cudnnConvolutionBwdFilterAlgoPerf_t* list) {
  return check_shapes(x, w, c, y), recommend(c, room, count, list);
}
Status cudnnGetConvolutionForwardWorkspaceSize(H, const X x, const W w, const C c, const X y,
                                               cudnnConvolutionFwdAlgo_t algorithm, std::size_t* bytes) {
  return check_shapes(x, w, c, y), size_of(algorithm, bytes);
}
Status cudnnGetConvolutionBackwardDataWorkspaceSize(H, const W w, const X y, const C c, const X x,
                                                    cudnnConvolutionBwdDataAlgo_t algorithm, std::size_t* bytes) {
  return check_shapes(x, w, c, y), size_of(algorithm, bytes);
}
Status cudnnGetConvolutionBackwardFilterWorkspaceSize(H, const X x, const X y, const C c, const W w,
                                                      cudnnConvolutionBwdFilterAlgo_t algorithm, std::size_t* bytes) {
  return check_shapes(x, w, c, y), size_of(algorithm, bytes);
}

Status cudnnConvolutionForward(H, const void* alpha, const X x, const void* xs, const W w, const void* ws, const C c,
                               cudnnConvolutionFwdAlgo_t algorithm, void* memory, std::size_t bytes, const void* beta,
                               const X y, void* ys) {
  check_shapes(x, w, c, y);
  check_choice(c, algorithm, memory, bytes);
  find(xs, ws, ys);
  if (x->n == 67) return CUDNN_STATUS_NOT_SUPPORTED;  // some batch that is found out about only now
  with_type(x->type, [&]<class T>() {
    REQUIRE(at<T>(alpha, 0) == 1);
    forward<T>(x, xs, w, ws, c, at<T>(beta, 0), nullptr, no_bound, y, ys);
  });
  return CUDNN_STATUS_SUCCESS;
}

Status cudnnConvolutionBiasActivationForward(H, const void* alpha, const X x, const void* xs, const W w, const void* ws,
                                             const C c, cudnnConvolutionFwdAlgo_t algorithm, void* memory,
                                             std::size_t bytes, const void* alpha2, const X z, const void* zs,
                                             const X bias, const void* biases, const cudnnActivationDescriptor_t d,
                                             const X y, void* ys) {
  check_shapes(x, w, c, y);
  check_choice(c, algorithm, memory, bytes);
  REQUIRE(x->type == CUDNN_DATA_FLOAT && z == y && zs == ys && d->mode == CUDNN_ACTIVATION_RELU);
  REQUIRE(bias->n == 1 && bias->c == y->c && bias->h == 1 && bias->w == 1 && at<float>(alpha, 0) == 1);
  find(xs, ws, biases, ys);
  forward<float>(x, xs, w, ws, c, at<float>(alpha2, 0), biases, 0, y, ys);
  return CUDNN_STATUS_SUCCESS;
}

Status cudnnAddTensor(H, const void* alpha, const X a, const void* as, const void* beta, const X y, void* ys) {
  REQUIRE(a->type == y->type && a->n == 1 && a->c == y->c && a->h == 1 && a->w == 1);
  find(as, ys);
  with_type(y->type, [&]<class T>() {
    REQUIRE(at<T>(alpha, 0) == 1 && at<T>(beta, 0) == 1);
    for_elements(y, [&](int i, int channel) { static_cast<T*>(ys)[i] += static_cast<const T*>(as)[channel]; });
  });
  return CUDNN_STATUS_SUCCESS;
}

Status cudnnConvolutionBackwardData(H, const void* alpha, const W w, const void* ws, const X y, const void* dys,
                                    const C c, cudnnConvolutionBwdDataAlgo_t algorithm, void* memory, std::size_t bytes,
                                    const void* beta, const X x, void* dxs) {
  check_shapes(x, w, c, y);
  check_choice(c, algorithm, memory, bytes);
  find(ws, dys, dxs);
  with_type(x->type, [&]<class T>() {
    REQUIRE(at<T>(alpha, 0) == 1 && at<T>(beta, 0) == 0);
    std::vector<double> sum(static_cast<std::size_t>(x->n * x->stride_n));
    for_products(x, w, c, y, [&](int i, int k, int o) { sum[i] += at<T>(ws, k) * at<T>(dys, o); });
    for_elements(x, [&](int i, int) { static_cast<T*>(dxs)[i] = static_cast<T>(sum[i]); });
  });
  return CUDNN_STATUS_SUCCESS;
}

Status cudnnConvolutionBackwardFilter(H, const void* alpha, const X x, const void* xs, const X y, const void* dys,
                                      const C c, cudnnConvolutionBwdFilterAlgo_t algorithm, void* memory,
                                      std::size_t bytes, const void* beta, const W w, void* dws) {
  check_shapes(x, w, c, y);
  check_choice(c, algorithm, memory, bytes);
  find(xs, dys, dws);
  with_type(x->type, [&]<class T>() {
    REQUIRE(at<T>(alpha, 0) == 1 && at<T>(beta, 0) == 0);
    std::vector<double> sum(static_cast<std::size_t>(w->o * w->c * w->h * w->w));
    for_products(x, w, c, y, [&](int i, int k, int o) { sum[k] += at<T>(xs, i) * at<T>(dys, o); });
    for (std::size_t k = 0; k < sum.size(); ++k) static_cast<T*>(dws)[k] = static_cast<T>(sum[k]);
  });
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
