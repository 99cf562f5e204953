// Images a second of an encoder with random weights, by the inference plan and by the differentiable pass; the flags
// and the fields of the yardstick's bench-encoder.
#include "common/bench.h"
#include "common/floor.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/onednn/inference.h"
#include "glimpse/kernels/onednn/onednn.h"
#include "glimpse/models/encoder/frozen_encoder.h"
#include "glimpse/models/encoder/internal/inference_plan.h"

namespace glimpse::bench {
namespace {

/// Seconds of one convolution of the plan, while every thread runs it on an image of its own.
double convolution_seconds(const InferenceStep& step, std::int64_t block) {
  const auto blocked = [&](const FeatureShape& s) {
    return (s.channels + block - 1) / block * block * s.height * s.width;
  };
  const kernels::OnednnConvolution convolution(step.shape, step.weight.data(), step.bias.data(), step.x.buffer == 0,
                                               step.accumulate, step.function);
  const std::int64_t threads = kernels::threads();
  std::vector<Tensor> memory;
  std::vector<kernels::OnednnConvolution::Bound> bound;
  for (std::int64_t t = 0; t < threads; ++t) {
    const Tensor x = zeros({blocked(step.in)}), y = zeros({blocked(step.out)});
    const Tensor scratch = empty({static_cast<std::int64_t>(convolution.scratch_bytes() / 4 + 1)});
    bound.emplace_back(convolution, x.data<float>(), y.data<float>(), static_cast<char*>(scratch.raw()));
    memory.insert(memory.end(), {x, y, scratch});
  }
  return least_seconds([&] {
    kernels::parallel_for(threads, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) bound[t].run();
    });
  });
}

/// The least time of a batch: its convolutions, each as quick as alone, and the bytes of the other steps.
double floor_seconds(const Encoder& encoder, std::int64_t batch) {
  Floor floor;
  if constexpr (kernels::onednn_built) {
    const std::int64_t block = kernels::onednn_block(), threads = kernels::threads();
    const auto size = [](const FeatureShape& s) { return static_cast<double>(s.channels * s.height * s.width); };
    for (const InferenceStep& step : plan_inference(encoder.network(), block).steps)
      if (step.kind == InferenceStep::Kind::convolution)
        floor.work(convolution_seconds(step, block) * static_cast<double>(batch) / static_cast<double>(threads));
      else
        floor.elements(static_cast<double>(batch) * (size(step.in) + size(step.out)));
  } else {
    fail("--floor: this build has no oneDNN, whose convolutions it measures");
  }
  return floor.seconds();
}

nlohmann::ordered_json run(const CommonFlags& flags, const EncoderOptions& options, bool with_forward,
                           bool with_floor) {
  flags.apply();
  check(!with_floor || flags.where() == Device::cpu, "--floor: measured on the CPU alone");
  Generator generator(flags.seed);
  Encoder encoder = make_encoder(options, generator);
  move_to(encoder, flags.where());
  const FrozenEncoder frozen(encoder);
  const Tensor images = normal_tensor({flags.batch, 3, options.size, options.size}, generator).to(flags.where());
  const NoGrad no_grad;
  const auto speed = [&](auto&& encode) {
    encode(images);
    return static_cast<double>(flags.batch) / median_seconds(flags.rounds, flags.where(), [&] { encode(images); });
  };
  nlohmann::ordered_json by_format;
  by_format["plan"] = speed(frozen);
  if (with_forward) by_format["forward"] = speed([&](const Tensor& x) { return encoder.forward(x); });
  nlohmann::ordered_json result = {{"what", "encoder"},
                                   {"encoder", options.name},
                                   {"batch", flags.batch},
                                   {"dtype", flags.dtype},
                                   {"images_per_s", by_format["plan"]},
                                   {"by_format", by_format},
                                   {"stage", encoder.options().stage},
                                   {"device", flags.device_name()}};
  if (with_floor)
    add_floor(result, floor_seconds(encoder, flags.batch),
              static_cast<double>(flags.batch) / by_format["plan"].get<double>());
  return result;
}

}  // namespace
}  // namespace glimpse::bench

int main(int argc, char** argv) {
  using namespace glimpse;
  CLI::App app{"Images a second of a CNN encoder"};
  bench::CommonFlags flags;
  flags.add_to(app);
  EncoderOptions options;
  bool with_forward = false, with_floor = false;
  app.add_option("--encoder", options.name, "one of torchvision's names")->capture_default_str();
  app.add_option("--stage", options.stage, "where it ends; empty: the family's usual stage");
  app.add_option("--grid", options.grid, "cells along a side; 0: native")->capture_default_str();
  app.add_option("--size", options.size, "pixels along a side")->capture_default_str();
  app.add_flag("--forward", with_forward, "time the differentiable pass, too");
  app.add_flag("--floor", with_floor,
               "the least time of a batch, too, on the CPU: its convolutions, each as quick as alone");
  return bench::run_benchmark(app, argc, argv, [&] { return bench::run(flags, options, with_forward, with_floor); });
}
