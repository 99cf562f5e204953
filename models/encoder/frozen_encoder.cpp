#include "glimpse/models/encoder/frozen_encoder.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <optional>
#include <type_traits>
#include <variant>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/onednn/inference.h"
#include "glimpse/kernels/onednn/onednn.h"
#include "glimpse/models/encoder/internal/cuda_plan_runner.h"
#include "glimpse/models/encoder/internal/inference_plan.h"

namespace glimpse {
namespace {

std::vector<float> padded(std::vector<float> values, std::int64_t block) {
  const auto lanes = static_cast<std::size_t>(block);
  values.resize((values.size() + lanes - 1) / lanes * lanes, 0.0f);
  return values;
}

/// The plan's steps, and what each thread needs to carry them out. All inline: a build without oneDNN emits nothing of
/// it.
class PlanRunner {
 public:
  explicit PlanRunner(const Network& network) : block_(kernels::onednn_block()) {
    plan_ = plan_inference(network, block_);
    offsets_ = lay_out(plan_.buffers, block_);
    for (InferenceStep& s : plan_.steps) {
      convolutions_.emplace_back();
      if (s.kind == InferenceStep::Kind::convolution) {
        convolutions_.back().emplace(s.shape, s.weight.data(), s.bias.data(), plain(s.x), s.accumulate, s.function);
        s.weight = std::vector<float>();  // oneDNN has its own copy
      } else {
        s.weight = padded(std::move(s.weight), block_);
        s.bias = padded(std::move(s.bias), block_);
      }
    }
  }

  /// Every thread takes the next image that nobody has.
  Tensor run(const Tensor& images) {
    const std::int64_t count = images.size(0), pixels = images.numel() / std::max<std::int64_t>(count, 1);
    const std::int64_t cells = plan_.shape.height * plan_.shape.width;
    const Tensor features = empty({count, cells, plan_.shape.channels});
    const std::int64_t team = std::min<std::int64_t>(kernels::threads(), count);
    while (static_cast<std::int64_t>(workers_.size()) < team) add_worker();
    std::atomic<std::int64_t> next{0};
    std::vector<std::exception_ptr> failures(static_cast<std::size_t>(team));
    const auto work = [&](std::size_t worker) {
      try {
        for (std::int64_t i = next++; i < count; i = next++)
          run_image(workers_[worker], images.data<float>() + i * pixels,
                    features.data<float>() + i * cells * plan_.shape.channels);
      } catch (...) {
        failures[worker] = std::current_exception();
      }
    };
    kernels::parallel_for(team, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) work(static_cast<std::size_t>(t));
    });
    for (const std::exception_ptr& failure : failures)
      if (failure) std::rethrow_exception(failure);
    return features;
  }

 private:
  /// Memory and convolutions of one thread.
  struct Worker {
    Tensor arena, scratch;
    std::vector<std::optional<kernels::OnednnConvolution::Bound>> convolutions;  // one per step
  };

  bool plain(const Place& place) const { return plan_.buffers[place.buffer].plain; }

  float* address(const Worker& worker, const Place& place) const {
    const FeatureShape& shape = plan_.buffers[place.buffer].shape;
    return worker.arena.data<float>() + offsets_[place.buffer] / 4 + place.first * shape.height * shape.width;
  }

  void add_worker() {
    std::size_t scratch_bytes = 1;
    for (const auto& c : convolutions_)
      if (c) scratch_bytes = std::max(scratch_bytes, c->scratch_bytes());
    Worker worker{zeros({offsets_.back() / 4}), empty({static_cast<std::int64_t>(scratch_bytes / 4 + 1)}), {}};
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      const InferenceStep& s = plan_.steps[i];
      worker.convolutions.emplace_back();
      if (convolutions_[i])
        worker.convolutions.back().emplace(*convolutions_[i], address(worker, s.x), address(worker, s.y),
                                           static_cast<char*>(worker.scratch.raw()));
    }
    workers_.push_back(std::move(worker));
  }

  void run_step(const Worker& worker, std::size_t i) const {
    const InferenceStep& s = plan_.steps[i];
    if (worker.convolutions[i]) return worker.convolutions[i]->run();
    const std::int64_t blocks = (s.in.channels + block_ - 1) / block_, area = s.in.height * s.in.width;
    const float* x = address(worker, s.x);
    float* y = address(worker, s.y);
    const kernels::PoolShape pool{blocks,        s.in.height,    s.in.width,      s.pool.kernel,
                                  s.pool.stride, s.pool.padding, s.pool.ceil_mode};
    switch (s.kind) {
      case InferenceStep::Kind::affine:
        if (plain(s.y)) return renormalise(s, x, y);
        return kernels::blocked_affine(block_, blocks, area, x, s.weight.data(), s.bias.data(), s.function, y);
      case InferenceStep::Kind::layer_norm:
        return kernels::blocked_layer_norm(block_, s.in.channels, area, s.eps, x, s.weight.data(), s.bias.data(), y);
      case InferenceStep::Kind::multiply:
        return kernels::blocked_multiply(block_, blocks, area, x, address(worker, s.x2), s.function, y);
      case InferenceStep::Kind::max_pool:
        return kernels::blocked_max_pool(block_, pool, x, y);
      case InferenceStep::Kind::avg_pool:
        return kernels::blocked_avg_pool(block_, pool, x, y);
      case InferenceStep::Kind::adaptive_average:
        return kernels::blocked_adaptive_average(block_, {blocks, s.in.height, s.in.width, s.out.height, s.out.width},
                                                 x, y);
      case InferenceStep::Kind::add:
        return kernels::blocked_add(blocks * block_ * area, x, address(worker, s.x2), s.function, y);
      case InferenceStep::Kind::copy:
        std::memcpy(y, x, static_cast<std::size_t>(blocks * block_ * area) * 4);
        return;
      case InferenceStep::Kind::convolution:
        fail("inference plan: step {} is a convolution that was not prepared", i);
    }
  }

  static void renormalise(const InferenceStep& s, const float* x, float* y) {
    const std::int64_t area = s.in.height * s.in.width;
    for (std::int64_t c = 0; c < s.in.channels; ++c)
      for (std::int64_t i = c * area; i < (c + 1) * area; ++i) y[i] = x[i] * s.weight[c] + s.bias[c];
  }

  /// image (3,S,S) -> features (L,D).
  void run_image(const Worker& worker, const float* image, float* features) const {
    const FeatureShape& in = plan_.buffers[0].shape;
    std::copy_n(image, in.channels * in.height * in.width, address(worker, {0, 0}));
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) run_step(worker, i);
    kernels::blocked_to_rows(block_, plan_.shape.channels, plan_.shape.height * plan_.shape.width,
                             address(worker, plan_.result), features);
  }

  InferencePlan plan_;
  std::int64_t block_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::optional<kernels::OnednnConvolution>> convolutions_;  // one per step
  std::vector<Worker> workers_;
};

/// The network itself, with weights of its own.
class NetworkRunner {
 public:
  explicit NetworkRunner(const Network& network) : network_(network) {
    Visitor copy([](const std::string&, Tensor& tensor, bool) {
      if (tensor.defined()) tensor = tensor.clone();
    });
    network_.visit(copy);
    for (Layer& layer : network_.layers)
      if (auto* norm = std::get_if<BatchNormLayer>(&layer.kind)) norm->module.train = false;
  }

  Tensor run(const Tensor& images) {
    const NoGrad no_grad;
    const Tensor y = network_.forward(images);
    return permute(y, {0, 2, 3, 1}).reshape({y.size(0), y.size(2) * y.size(3), y.size(1)});
  }

 private:
  Network network_;
};

/// Stands where a build without CUDA has no CudaPlanRunner.
class NoCuda {
 public:
  explicit NoCuda(const Network&) { detail::no_cuda(); }
  Tensor run(const Tensor&) { detail::no_cuda(); }
};

using CpuRunner = std::conditional_t<kernels::onednn_built, PlanRunner, NetworkRunner>;
using CudaRunner = std::conditional_t<cuda_built, CudaPlanRunner, NoCuda>;
using Runner = std::variant<CpuRunner, CudaRunner>;

/// Where the weights are.
Device device_of(const Network& network) {
  for (const Layer& layer : network.layers)
    if (const auto* convolution = std::get_if<ConvolutionLayer>(&layer.kind))
      return convolution->module.weight.device();
  return Device::cpu;
}

Runner make_runner(Device device, const Network& network) {
  if (device == Device::cuda) return Runner(std::in_place_type<CudaRunner>, network);
  return Runner(std::in_place_type<CpuRunner>, network);
}

}  // namespace

struct FrozenEncoder::Plan {
  Device device;
  Runner runner;
  FeatureShape image;

  explicit Plan(const Network& network)
      : device(device_of(network)), runner(make_runner(device, network)), image(network.layers[0].shape) {}
};

FrozenEncoder::FrozenEncoder(const Encoder& encoder) : plan_(new Plan(encoder.network())) {}
FrozenEncoder::~FrozenEncoder() = default;
FrozenEncoder::FrozenEncoder(FrozenEncoder&&) noexcept = default;
FrozenEncoder& FrozenEncoder::operator=(FrozenEncoder&&) noexcept = default;

Tensor FrozenEncoder::operator()(const Tensor& images) const {
  const FeatureShape& in = plan_->image;
  const Shape expected{images.defined() && images.rank() > 0 ? images.size(0) : 0, in.channels, in.height, in.width};
  check(images.defined() && images.shape() == expected && images.dtype() == DType::f32,
        "frozen encoder: images are {}; (N,{},{},{}) f32 is needed",
        images.defined() ? images.shape().str() : "undefined", in.channels, in.height, in.width);
  const Tensor here = images.detach().to(plan_->device);
  return std::visit([&](auto& runner) { return runner.run(here); }, plan_->runner);
}

}  // namespace glimpse
