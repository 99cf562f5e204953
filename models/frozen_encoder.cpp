#include "glimpse/models/frozen_encoder.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <optional>

#include "glimpse/engine/autograd.h"
#include "glimpse/kernels/check.h"
#include "glimpse/kernels/onednn.h"
#include "glimpse/kernels/onednn_inference.h"
#include "glimpse/kernels/parallel.h"
#include "glimpse/models/inference_plan.h"

namespace glimpse {
namespace {

constexpr std::int64_t alignment = 64;

std::int64_t rounded(std::int64_t n, std::int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/// Offsets in bytes of all buffers in one arena, such that no two that are alive at the same step overlap; the last
/// number is the arena's size.
std::vector<std::int64_t> lay_out(const std::vector<InferenceBuffer>& buffers, std::int64_t block) {
  std::vector<std::int64_t> offsets(buffers.size() + 1, 0), sizes;
  for (const InferenceBuffer& b : buffers) {
    const std::int64_t channels = rounded(b.shape.channels, block);
    sizes.push_back(rounded(channels * b.shape.height * b.shape.width * 4, alignment));
  }
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    std::vector<std::size_t> alive;  // earlier ones in the way, by offset
    for (std::size_t j = 0; j < i; ++j)
      if (buffers[j].begin <= buffers[i].end && buffers[i].begin <= buffers[j].end) alive.push_back(j);
    std::sort(alive.begin(), alive.end(), [&](std::size_t a, std::size_t b) { return offsets[a] < offsets[b]; });
    for (const std::size_t j : alive)
      if (offsets[i] + sizes[i] > offsets[j]) offsets[i] = std::max(offsets[i], offsets[j] + sizes[j]);
    offsets.back() = std::max(offsets.back(), offsets[i] + sizes[i]);
  }
  return offsets;
}

std::vector<float> padded(std::vector<float> values, std::int64_t block) {
  values.resize(static_cast<std::size_t>(rounded(static_cast<std::int64_t>(values.size()), block)), 0.0f);
  return values;
}

}  // namespace

/// The steps, what each thread needs to carry them out, and the threads' loop.
struct FrozenEncoder::Plan {
  /// Memory and convolutions of one thread.
  struct Worker {
    Tensor arena, scratch;
    std::vector<std::optional<kernels::OnednnConvolution::Bound>> convolutions;  // one per step
  };

  InferencePlan plan;
  std::int64_t block = 0;
  std::vector<std::int64_t> offsets;
  std::vector<std::optional<kernels::OnednnConvolution>> convolutions;  // one per step
  std::vector<Worker> workers;

  explicit Plan(const Network& network) : block(kernels::onednn_block()) {
    plan = plan_inference(network, block);
    offsets = lay_out(plan.buffers, block);
    for (InferenceStep& s : plan.steps) {
      convolutions.emplace_back();
      if (s.kind == InferenceStep::Kind::convolution) {
        convolutions.back().emplace(s.shape, s.weight.data(), s.bias.data(), s.x.buffer == 0, s.accumulate, s.bounds);
        s.weight.clear();  // oneDNN has its own copy
      } else {
        s.weight = padded(std::move(s.weight), block);
        s.bias = padded(std::move(s.bias), block);
      }
    }
  }

  float* address(const Worker& worker, const Place& place) const {
    const FeatureShape& shape = plan.buffers[static_cast<std::size_t>(place.buffer)].shape;
    return worker.arena.data<float>() + offsets[static_cast<std::size_t>(place.buffer)] / 4 +
           place.first * shape.height * shape.width;
  }

  void add_worker() {
    std::size_t scratch_bytes = 1;
    for (const auto& c : convolutions)
      if (c) scratch_bytes = std::max(scratch_bytes, c->scratch_bytes());
    Worker worker{zeros({offsets.back() / 4}), empty({static_cast<std::int64_t>(scratch_bytes / 4 + 1)}), {}};
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const InferenceStep& s = plan.steps[i];
      worker.convolutions.emplace_back();
      if (convolutions[i])
        worker.convolutions.back().emplace(*convolutions[i], address(worker, s.x), address(worker, s.y),
                                           static_cast<char*>(worker.scratch.raw()));
    }
    workers.push_back(std::move(worker));
  }

  void run_step(const Worker& worker, std::size_t i) const {
    const InferenceStep& s = plan.steps[i];
    if (worker.convolutions[i]) return worker.convolutions[i]->run();
    const std::int64_t blocks = (s.in.channels + block - 1) / block, area = s.in.height * s.in.width;
    const float* x = address(worker, s.x);
    float* y = address(worker, s.y);
    const kernels::PoolShape pool{blocks,        s.in.height,    s.in.width,      s.pool.kernel,
                                  s.pool.stride, s.pool.padding, s.pool.ceil_mode};
    switch (s.kind) {
      case InferenceStep::Kind::affine:
        return kernels::blocked_affine(block, blocks, area, x, s.weight.data(), s.bias.data(), s.bounds, y);
      case InferenceStep::Kind::max_pool:
        return kernels::blocked_max_pool(block, pool, x, y);
      case InferenceStep::Kind::avg_pool:
        return kernels::blocked_avg_pool(block, pool, x, y);
      case InferenceStep::Kind::global_average:
        return kernels::blocked_global_average(block, blocks, area, x, y);
      case InferenceStep::Kind::add:
        return kernels::blocked_add(blocks * block * area, x, address(worker, s.x2), s.bounds, y);
      default:
        std::memcpy(y, x, static_cast<std::size_t>(blocks * block * area) * 4);
    }
  }

  /// image (3,S,S) -> features (L,D).
  void run_image(const Worker& worker, const float* image, float* features) const {
    const FeatureShape& in = plan.buffers[0].shape;
    std::copy_n(image, in.channels * in.height * in.width, address(worker, {0, 0}));
    for (std::size_t i = 0; i < plan.steps.size(); ++i) run_step(worker, i);
    kernels::blocked_to_rows(block, plan.shape.channels, plan.shape.height * plan.shape.width,
                             address(worker, plan.result), features);
  }

  /// Every thread takes the next image that nobody has.
  Tensor run(const Tensor& images) {
    const std::int64_t count = images.size(0), pixels = images.numel() / std::max<std::int64_t>(count, 1);
    const std::int64_t cells = plan.shape.height * plan.shape.width;
    const Tensor features = empty({count, cells, plan.shape.channels});
    const std::int64_t team = std::min<std::int64_t>(kernels::threads(), count);
    while (static_cast<std::int64_t>(workers.size()) < team) add_worker();
    std::atomic<std::int64_t> next{0};
    std::vector<std::exception_ptr> failures(static_cast<std::size_t>(team));
    kernels::parallel_for(team, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) try {
          for (std::int64_t i = next++; i < count; i = next++)
            run_image(workers[static_cast<std::size_t>(t)], images.data<float>() + i * pixels,
                      features.data<float>() + i * cells * plan.shape.channels);
        } catch (...) {
          failures[static_cast<std::size_t>(t)] = std::current_exception();
        }
    });
    for (const std::exception_ptr& failure : failures)
      if (failure) std::rethrow_exception(failure);
    return features;
  }
};

FrozenEncoder::FrozenEncoder(const Encoder& encoder) : plan_(new Plan(encoder.network())) {}
FrozenEncoder::~FrozenEncoder() = default;
FrozenEncoder::FrozenEncoder(FrozenEncoder&&) noexcept = default;
FrozenEncoder& FrozenEncoder::operator=(FrozenEncoder&&) noexcept = default;

Tensor FrozenEncoder::operator()(const Tensor& images) const {
  const FeatureShape& in = plan_->plan.buffers[0].shape;
  const Shape expected{images.defined() && images.rank() > 0 ? images.size(0) : 0, in.channels, in.height, in.width};
  check(images.defined() && images.shape() == expected, "frozen encoder: images are {}; (N,{},{},{}) is needed",
        images.defined() ? images.shape().str() : "undefined", in.channels, in.height, in.width);
  return plan_->run(images);
}

}  // namespace glimpse
