#include "bench.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/precision.h"
#include "glimpse/kernels/bf16_gemm.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse::bench {
namespace {

void wait_for(Device device) {
  on(device, [](auto tag) {
    if constexpr (std::is_same_v<decltype(tag), kernels::Cuda>) cuda::synchronize(tag.stream);
  });
}

}  // namespace

void CommonFlags::add_to(CLI::App& app) {
  app.add_option("--device", device, "Where to compute")->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
  app.add_option("--dtype", dtype, "Element type; tf32 (GPUs) and bf16: f32 with products of factors rounded so")
      ->check(CLI::IsMember({"f32", "tf32", "bf16"}))
      ->capture_default_str();
  app.add_option("--seed", seed, "Seed of all random numbers")->capture_default_str();
  app.add_option("--threads", threads, "Threads, 0 for all")->check(CLI::NonNegativeNumber)->capture_default_str();
  const auto size = [&](const char* flag, auto& value, const char* about) {
    app.add_option(flag, value, about)->check(CLI::PositiveNumber)->capture_default_str();
  };
  size("--dim", dim, "Width of embedding, attention and state");
  size("--locations", locations, "Locations of the feature grid");
  size("--channels", channels, "Width of a feature");
  size("--vocab", vocab, "Words of the vocabulary");
  size("--batch", batch, "Captions or images a step");
  size("--rounds", rounds, "Timed rounds, of which the median is told");
  size("--rotate", rotate, "Batches that are used in turn");
  app.add_option("--warmup", warmup, "Steps before timing")->check(CLI::NonNegativeNumber)->capture_default_str();
}

void CommonFlags::apply() const {
  if (threads > 0) kernels::set_threads(threads);
  if (where() == Device::cuda) {
    if constexpr (cuda_built)
      cuda::device_info();  // throws why there is none
    else
      fail("--device cuda: this program was built without CUDA");
  }
  check(
      dtype == "f32" || where() == Device::cuda || (dtype == "bf16" && kernels::bf16_unit() != kernels::Bf16Unit::none),
      "--dtype {}: not on this processor", dtype);
  kernels::set_matmul_precision(dtype == "tf32"   ? kernels::MatmulPrecision::tf32
                                : dtype == "bf16" ? kernels::MatmulPrecision::bf16
                                                  : kernels::MatmulPrecision::f32);
}

std::string CommonFlags::device_name() const {
  if constexpr (cuda_built)
    if (where() == Device::cuda) return cuda::device_info().name;
  return "cpu x" + std::to_string(kernels::threads());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double median_seconds(int rounds, Device device, const std::function<void()>& run) {
  std::vector<double> seconds;
  for (int round = 0; round < rounds; ++round) {
    wait_for(device);
    const auto begin = std::chrono::steady_clock::now();
    run();
    wait_for(device);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return median(seconds);
}

Tensor normal_tensor(const Shape& shape, Generator& generator) {
  const Tensor x = empty(shape);
  fill_normal(x, 0, 1, generator);
  return x;
}

int run_benchmark(CLI::App& app, int argc, char** argv, const std::function<nlohmann::ordered_json()>& run) {
  CLI11_PARSE(app, argc, argv);
  try {
    std::printf("%s\n", run().dump().c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace glimpse::bench
