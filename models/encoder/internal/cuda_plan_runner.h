#pragma once
// How a frozen encoder runs on a GPU.

#include <algorithm>
#include <vector>

#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/tensor.h"
#include "glimpse/kernels/inference/inference.h"
#include "glimpse/kernels/layer_norm.h"
#include "glimpse/kernels/layout.h"
#include "glimpse/kernels/pooling.h"
#include "glimpse/models/encoder/internal/inference_plan.h"

namespace glimpse {

/// The plan's steps, each for a batch of images. A buffer holds (N,C,H,W). All inline: a build without CUDA emits
/// nothing of it.
class CudaPlanRunner {
 public:
  explicit CudaPlanRunner(const Network& network)
      : plan_(plan_inference(network, 1)),
        offsets_(lay_out(plan_.buffers, 1)),
        most_images_(std::clamp<std::int64_t>(most_memory / offsets_.back(), 1, 64)) {
    for (InferenceStep& s : plan_.steps) {
      const bool scales = s.kind == InferenceStep::Kind::convolution || !all_are(s.weight, 1);
      weights_.push_back({scales ? on_device(s.weight) : Tensor(), all_are(s.bias, 0) ? Tensor() : on_device(s.bias)});
      s.weight = s.bias = std::vector<float>();
    }
  }

  /// images (N,3,S,S) -> features (N,L,D), both on the device.
  Tensor run(const Tensor& images) {
    const std::int64_t count = images.size(0), most = std::min(count, most_images_);
    const Tensor features =
        empty({count, plan_.shape.height * plan_.shape.width, plan_.shape.channels}, DType::f32, Device::cuda);
    if (!arena_.defined() || arena_.numel() < offsets_.back() / 4 * most)
      arena_ = empty({offsets_.back() / 4 * most}, DType::f32, Device::cuda);
    for (std::int64_t begin = 0; begin < count; begin += most) {
      const std::int64_t end = std::min(begin + most, count);
      run_batch(images.rows(begin, end), features.rows(begin, end));
    }
    return features;
  }

 private:
  static constexpr std::int64_t most_memory = std::int64_t{1} << 30;  ///< for intermediate results

  struct Weights {
    Tensor weight, bias;  ///< undefined where they change nothing
    const float* weight_data() const { return weight.defined() ? weight.data<float>() : nullptr; }
    const float* bias_data() const { return bias.defined() ? bias.data<float>() : nullptr; }
  };

  /// The batch that the steps work on.
  struct Batch {
    kernels::Cuda device;
    std::int64_t n;
    const float* images;
  };

  static bool all_are(const std::vector<float>& values, float value) {
    return std::all_of(values.begin(), values.end(), [&](float v) { return v == value; });
  }
  static Tensor on_device(const std::vector<float>& values) { return from_vector(values).to(Device::cuda); }

  template <class T>
  kernels::Slice<T> slice(const Batch& batch, const Place& place) const {
    const auto number = static_cast<std::size_t>(place.buffer);
    const FeatureShape& shape = plan_.buffers[number].shape;
    const std::int64_t area = shape.height * shape.width, stride = shape.channels * area;
    if constexpr (std::is_const_v<T>)
      if (place.buffer == 0) return {batch.images, stride};
    return {arena_.data<float>() + offsets_[number] / 4 * batch.n + place.first * area, stride};
  }

  void run_batch(const Tensor& images, const Tensor& features) const {
    const Batch batch{{detail::current_stream()}, images.size(0), images.data<float>()};
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) run_step(batch, plan_.steps[i], weights_[i]);
    const auto result = slice<const float>(batch, plan_.result);
    const std::int64_t cells = plan_.shape.height * plan_.shape.width;
    const kernels::StridedView rows{3, {batch.n, cells, plan_.shape.channels}, {result.stride, 1, cells}};
    kernels::permute(batch.device, rows, result.data, features.data<float>());
  }

  void run_step(const Batch& batch, const InferenceStep& s, const Weights& weights) const {
    using Kind = InferenceStep::Kind;
    const auto x = slice<const float>(batch, s.x);
    const auto y = slice<float>(batch, s.y);
    const kernels::SliceShape shape{batch.n, s.in.channels, s.in.height * s.in.width};
    switch (s.kind) {
      case Kind::convolution: {
        kernels::SliceConvolution convolution{s.shape, x.stride, y.stride, s.accumulate};
        convolution.shape.n = batch.n;
        return kernels::inference_convolution(batch.device, convolution, x.data, weights.weight_data(),
                                              weights.bias_data(), s.function, y.data);
      }
      case Kind::add:
        return kernels::inference_add(batch.device, shape, x, slice<const float>(batch, s.x2), s.function, y);
      case Kind::multiply:
        return kernels::inference_multiply(batch.device, shape, x, slice<const float>(batch, s.x2), s.function, y);
      case Kind::layer_norm:
        return kernels::layer_norm_forward<float>(batch.device, {.n = shape.n,
                                                                 .c = shape.c,
                                                                 .area = shape.area,
                                                                 .x_stride = x.stride,
                                                                 .y_stride = y.stride,
                                                                 .eps = s.eps,
                                                                 .x = x.data,
                                                                 .weight = weights.weight_data(),
                                                                 .bias = weights.bias_data(),
                                                                 .y = y.data,
                                                                 .scale = nullptr});
      case Kind::affine:
      case Kind::copy:
        return kernels::inference_affine(batch.device, shape, x, weights.weight_data(), weights.bias_data(), s.function,
                                         y);
      case Kind::max_pool:
      case Kind::avg_pool:
      case Kind::adaptive_average:
        return pool(batch, s, x, y);
    }
  }

  /// Pools know no strides: images that do not lie side by side are pooled one by one.
  void pool(const Batch& batch, const InferenceStep& s, kernels::Slice<const float> x, kernels::Slice<float> y) const {
    const std::int64_t x_size = s.in.channels * s.in.height * s.in.width;
    const std::int64_t y_size = s.out.channels * s.out.height * s.out.width;
    const bool together = x.stride == x_size && y.stride == y_size;
    const std::int64_t planes = s.in.channels * (together ? batch.n : 1);
    for (std::int64_t i = 0; i < (together ? 1 : batch.n); ++i)
      pool_planes(batch.device, s, planes, x.data + i * x.stride, y.data + i * y.stride);
  }

  static void pool_planes(kernels::Cuda device, const InferenceStep& s, std::int64_t planes, const float* x, float* y) {
    const kernels::PoolShape shape{planes,        s.in.height,    s.in.width,      s.pool.kernel,
                                   s.pool.stride, s.pool.padding, s.pool.ceil_mode};
    if (s.kind == InferenceStep::Kind::adaptive_average)
      kernels::adaptive_avg_pool_forward(device, {planes, s.in.height, s.in.width, s.out.height, s.out.width}, x, y);
    else if (s.kind == InferenceStep::Kind::max_pool)
      kernels::max_pool_forward(device, shape, x, y, nullptr);
    else
      kernels::avg_pool_forward(device, shape, x, y);
  }

  InferencePlan plan_;
  std::vector<std::int64_t> offsets_;
  std::int64_t most_images_;
  std::vector<Weights> weights_;  // one per step
  Tensor arena_;
};

}  // namespace glimpse
