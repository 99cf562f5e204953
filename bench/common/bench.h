#pragma once
// What the benchmarks share: the flags of the PyTorch yardstick that they are compared with, and medians over rounds.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "glimpse/engine/dtype.h"
#include "glimpse/engine/random.h"
#include "glimpse/engine/tensor.h"

namespace glimpse::bench {

/// Flags that every benchmark takes, with the yardstick's names and defaults.
struct CommonFlags {
  std::string device = "cpu";
  std::string dtype = "f32";
  std::uint64_t seed = 1;
  int threads = 0;  ///< 0: all
  std::int64_t dim = 512;
  std::int64_t locations = 196;
  std::int64_t channels = 2048;
  std::int64_t vocab = 2541;
  std::int64_t batch = 64;
  int rounds = 5;
  int warmup = 3;
  int rotate = 4;

  void add_to(CLI::App& app);
  /// Sets the number of threads and the precision of products. Throws Error for a device that is not there, and for
  /// rounded products on the CPU.
  void apply() const;
  Device where() const { return device == "cuda" ? Device::cuda : Device::cpu; }
  /// "cpu x2", or the name of the GPU.
  std::string device_name() const;
};

/// Middle value.
double median(std::vector<double> values);
/// Seconds that `run` takes, the median of `rounds` runs; on a GPU to the end of what it has started.
double median_seconds(int rounds, Device device, const std::function<void()>& run);

/// (shape) f32 from N(0,1).
Tensor normal_tensor(const Shape& shape, Generator& generator);

/// Parses the command line, runs, prints one JSON line; an error is one line on stderr and exit code 1.
int run_benchmark(CLI::App& app, int argc, char** argv, const std::function<nlohmann::ordered_json()>& run);

}  // namespace glimpse::bench
