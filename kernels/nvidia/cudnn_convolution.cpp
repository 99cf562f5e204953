// Convolutions by cuDNN. What a shape needs (descriptors, algorithm, working memory) is found out once and kept. The
// algorithm is the first of those that cuDNN's heuristics recommend that is deterministic, keeps to the precision asked
// for and to the limit on working memory.

#include "glimpse/kernels/nvidia/cudnn_convolution.h"

#include "glimpse/kernels/nvidia/cudnn_api.h"

#if GLIMPSE_HAVE_CUDNN
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/precision.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse::kernels {
namespace {

using namespace cudnn;
using kernels::MatmulPrecision;

constexpr std::size_t most_working_memory = std::size_t{1} << 30;

enum class Direction { forward, backward_input, backward_weight };

struct Key {
  Direction direction;
  SliceConvolution slices;
  bool f64;
  MatmulPrecision precision;
  auto operator<=>(const Key&) const = default;
};

/// An algorithm of any of the three directions, and what it takes.
struct Choice {
  int algorithm;
  cudnnMathType_t math;
  std::size_t working_memory;
};

int small(std::int64_t n) { return static_cast<int>(n); }

struct Plan {
  explicit Plan(const Key& key);

  TensorDescriptor x, y, bias;
  FilterDescriptor weight;
  ConvolutionDescriptor convolution;
  ActivationDescriptor relu;
  std::optional<Choice> choice;  // none: cuDNN has nothing that would do

 private:
  void describe(const SliceConvolution& slices, cudnnDataType_t type);
  void set_math(cudnnMathType_t math) const {
    check_status(api().SetConvolutionMathType(convolution.get(), math), "setting the precision");
  }
  template <class Algorithm, class Performance, class List, class Size>
  void choose(bool exact, List list, Size size);
};

void Plan::describe(const SliceConvolution& slices, cudnnDataType_t type) {
  const ConvolutionShape& s = slices.shape;
  const auto describe_images = [&](const TensorDescriptor& d, std::int64_t n, std::int64_t c, std::int64_t h,
                                   std::int64_t w, std::int64_t stride) {
    check_status(api().SetTensor4dDescriptorEx(d.get(), type, small(n), small(c), small(h), small(w), small(stride),
                                               small(h * w), small(w), 1),
                 "describing images");
  };
  describe_images(x, s.n, s.c, s.h, s.w, slices.x_stride);
  describe_images(y, s.n, s.o, s.out_h(), s.out_w(), slices.y_stride);
  describe_images(bias, 1, s.o, 1, 1, s.o);
  check_status(api().SetFilter4dDescriptor(weight.get(), type, CUDNN_TENSOR_NCHW, small(s.o), small(s.c / s.groups),
                                           small(s.kh), small(s.kw)),
               "describing weights");
  check_status(api().SetConvolution2dDescriptor(convolution.get(), small(s.padding), small(s.padding), small(s.stride),
                                                small(s.stride), small(s.dilation), small(s.dilation),
                                                CUDNN_CROSS_CORRELATION, type),
               "describing a convolution");
  check_status(api().SetConvolutionGroupCount(convolution.get(), small(s.groups)), "describing groups");
  check_status(api().SetActivationDescriptor(relu.get(), CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0.0),
               "describing an activation");
}

/// list(room, count, array) asks for the recommended algorithms, size(algorithm, bytes) for the working memory of one.
template <class Algorithm, class Performance, class List, class Size>
void Plan::choose(bool exact, List list, Size size) {
  set_math(exact ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH);
  Performance found[16];
  int count = 0;
  if (list(static_cast<int>(std::size(found)), &count, found) != CUDNN_STATUS_SUCCESS) return;
  for (int i = 0; i < count; ++i) {
    const Performance& p = found[i];
    const bool tensor_cores = p.mathType != CUDNN_FMA_MATH && p.mathType != CUDNN_DEFAULT_MATH;
    if (p.status != CUDNN_STATUS_SUCCESS || p.determinism != CUDNN_DETERMINISTIC || (exact && tensor_cores) ||
        p.mathType == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION)  // which would round to f16
      continue;
    const cudnnMathType_t math = exact ? CUDNN_FMA_MATH : p.mathType;
    set_math(math);
    std::size_t bytes = 0;
    if (size(p.algo, &bytes) != CUDNN_STATUS_SUCCESS || bytes > most_working_memory) continue;
    choice = Choice{static_cast<int>(p.algo), math, bytes};
    return;
  }
}

Plan::Plan(const Key& key) {
  describe(key.slices, key.f64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT);
  const bool exact = key.f64 || key.precision == MatmulPrecision::f32;
  const cudnnHandle_t h = handle(nullptr);
  const auto w = weight.get();
  const auto c = convolution.get();
  if (key.direction == Direction::forward)
    choose<cudnnConvolutionFwdAlgo_t, cudnnConvolutionFwdAlgoPerf_t>(
        exact,
        [&](int room, int* count, auto* list) {
          return api().GetConvolutionForwardAlgorithm_v7(h, x.get(), w, c, y.get(), room, count, list);
        },
        [&](auto algorithm, std::size_t* bytes) {
          return api().GetConvolutionForwardWorkspaceSize(h, x.get(), w, c, y.get(), algorithm, bytes);
        });
  else if (key.direction == Direction::backward_input)
    choose<cudnnConvolutionBwdDataAlgo_t, cudnnConvolutionBwdDataAlgoPerf_t>(
        exact,
        [&](int room, int* count, auto* list) {
          return api().GetConvolutionBackwardDataAlgorithm_v7(h, w, y.get(), c, x.get(), room, count, list);
        },
        [&](auto algorithm, std::size_t* bytes) {
          return api().GetConvolutionBackwardDataWorkspaceSize(h, w, y.get(), c, x.get(), algorithm, bytes);
        });
  else
    choose<cudnnConvolutionBwdFilterAlgo_t, cudnnConvolutionBwdFilterAlgoPerf_t>(
        exact,
        [&](int room, int* count, auto* list) {
          return api().GetConvolutionBackwardFilterAlgorithm_v7(h, x.get(), y.get(), c, w, room, count, list);
        },
        [&](auto algorithm, std::size_t* bytes) {
          return api().GetConvolutionBackwardFilterWorkspaceSize(h, x.get(), y.get(), c, w, algorithm, bytes);
        });
}

/// The plan for a shape, or null where cuDNN cannot be used for it.
const Plan* plan_for(const Key& key) {
  const ConvolutionShape& s = key.slices.shape;
  constexpr std::int64_t most = std::numeric_limits<int>::max();  // elements that cuDNN's descriptors count
  if (s.extra_padding > 0) return nullptr;  // cuDNN pads both sides alike
  if (s.n == 0 || s.n * key.slices.x_stride > most || s.n * key.slices.y_stride > most || !available()) return nullptr;
  static std::mutex mutex;
  static auto& plans = *new std::map<Key, std::unique_ptr<const Plan>>;
  const std::lock_guard guard(mutex);
  std::unique_ptr<const Plan>& plan = plans[key];
  if (!plan) plan = std::make_unique<const Plan>(key);
  return plan->choice ? plan.get() : nullptr;
}

template <class T>
Key key_of(Direction direction, const SliceConvolution& slices) {
  return {direction, slices, std::is_same_v<T, double>, kernels::matmul_precision()};
}

SliceConvolution whole(const ConvolutionShape& s) { return {s, s.c * s.h * s.w, s.o * s.out_h() * s.out_w()}; }

/// Calls body(handle, working memory, its bytes), and looks at the status that it returns: false where cuDNN finds only
/// now that it cannot do this.
template <class Body>
bool run(Cuda device, const Plan& plan, const ConvolutionShape& s, const char* name, Body body) {
  const std::size_t bytes = plan.choice->working_memory;
  const cuda::Scratch<char> memory(static_cast<std::int64_t>(bytes), device.stream, "cuDNN's working memory");
  const cudnnStatus_t status = body(handle(device.stream), memory.data(), bytes);
  if (status == CUDNN_STATUS_SUCCESS) return true;
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED) return false;
  fail("{}: x ({},{},{},{}), weight ({},{},{},{}), stride {}, padding {}, dilation {}, groups {}: cuDNN: {}", name, s.n,
       s.c, s.h, s.w, s.o, s.c / s.groups, s.kh, s.kw, s.stride, s.padding, s.dilation, s.groups, text_of(status));
}

/// y = convolution of x, plus what y held if slices.accumulate.
template <class T>
bool forward(Cuda device, const SliceConvolution& slices, const T* x, const T* weight, const T* bias, T* y) {
  const Plan* plan = plan_for(key_of<T>(Direction::forward, slices));
  if (!plan) return false;
  const T one = 1, beta = slices.accumulate ? 1 : 0;
  const auto algorithm = static_cast<cudnnConvolutionFwdAlgo_t>(plan->choice->algorithm);
  return run(device, *plan, slices.shape, "convolution_forward", [&](cudnnHandle_t h, void* memory, std::size_t bytes) {
    const cudnnStatus_t status =
        api().ConvolutionForward(h, &one, plan->x.get(), x, plan->weight.get(), weight, plan->convolution.get(),
                                 algorithm, memory, bytes, &beta, plan->y.get(), y);
    if (status != CUDNN_STATUS_SUCCESS || !bias) return status;
    return api().AddTensor(h, &one, plan->bias.get(), bias, &one, plan->y.get(), y);
  });
}

}  // namespace

std::string cudnn_description() {
  if (!available()) return "no cuDNN: " + why_unavailable();
  const std::size_t version = api().GetVersion();
  return fmt::format("cuDNN {}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

template <class T>
bool cudnn_convolution_forward(Cuda device, const ConvolutionShape& s, const T* x, const T* weight, const T* bias,
                               T* y) {
  return forward(device, whole(s), x, weight, bias, y);
}

template <class T>
bool cudnn_convolution_backward_input(Cuda device, const ConvolutionShape& s, const T* dy, const T* weight, T* dx) {
  const Plan* plan = plan_for(key_of<T>(Direction::backward_input, whole(s)));
  if (!plan) return false;
  const T one = 1, zero = 0;
  const auto algorithm = static_cast<cudnnConvolutionBwdDataAlgo_t>(plan->choice->algorithm);
  return run(device, *plan, s, "convolution_backward_input", [&](cudnnHandle_t h, void* memory, std::size_t bytes) {
    return api().ConvolutionBackwardData(h, &one, plan->weight.get(), weight, plan->y.get(), dy,
                                         plan->convolution.get(), algorithm, memory, bytes, &zero, plan->x.get(), dx);
  });
}

template <class T>
bool cudnn_convolution_backward_weight(Cuda device, const ConvolutionShape& s, const T* x, const T* dy, T* dweight) {
  const Plan* plan = plan_for(key_of<T>(Direction::backward_weight, whole(s)));
  if (!plan) return false;
  const T one = 1, zero = 0;
  const auto algorithm = static_cast<cudnnConvolutionBwdFilterAlgo_t>(plan->choice->algorithm);
  return run(device, *plan, s, "convolution_backward_weight", [&](cudnnHandle_t h, void* memory, std::size_t bytes) {
    return api().ConvolutionBackwardFilter(h, &one, plan->x.get(), x, plan->y.get(), dy, plan->convolution.get(),
                                           algorithm, memory, bytes, &zero, plan->weight.get(), dweight);
  });
}

bool cudnn_convolution_of_slices(Cuda device, const SliceConvolution& slices, const float* x, const float* weight,
                                 float* y) {
  return forward<float>(device, slices, x, weight, nullptr, y);
}

bool cudnn_convolution_bias_relu(Cuda device, const SliceConvolution& slices, const float* x, const float* weight,
                                 const float* bias, float* y) {
  const Plan* plan = plan_for(key_of<float>(Direction::forward, slices));
  if (!plan) return false;
  const float one = 1, added = slices.accumulate ? 1 : 0;
  const auto algorithm = static_cast<cudnnConvolutionFwdAlgo_t>(plan->choice->algorithm);
  return run(device, *plan, slices.shape, "inference_convolution",
             [&](cudnnHandle_t h, void* memory, std::size_t bytes) {
               return api().ConvolutionBiasActivationForward(
                   h, &one, plan->x.get(), x, plan->weight.get(), weight, plan->convolution.get(), algorithm, memory,
                   bytes, &added, plan->y.get(), y, plan->bias.get(), bias, plan->relu.get(), plan->y.get(), y);
             });
}

}  // namespace glimpse::kernels

#else
#include "glimpse/kernels/nvidia/no_cudnn.h"

namespace glimpse::kernels {

std::string cudnn_description() { return "no cuDNN: this program was built without its headers"; }

}  // namespace glimpse::kernels

#endif

namespace glimpse::kernels {

GLIMPSE_CUDNN_CONVOLUTIONS(float)
GLIMPSE_CUDNN_CONVOLUTIONS(double)

}  // namespace glimpse::kernels
