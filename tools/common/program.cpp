#include "program.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <new>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/cuda/precision.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse::tools {

void parse_arguments(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& e) {
    throw Exit{app.exit(e)};
  } catch (const CLI::CallForAllHelp& e) {
    throw Exit{app.exit(e)};
  } catch (const CLI::ParseError& e) {
    std::string message = e.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    fmt::print(stderr, "{}: {} (see {} --help)\n", app.get_name(), message, app.get_name());
    throw Exit{2};
  }
}

int run_program(const std::string& name, const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const Exit& e) {
    return e.code;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "{}: out of memory\n", name);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}: {}\n", name, e.what());
  }
  return 1;
}

void use_threads(int count) {
  if (count > 0) kernels::set_threads(count);
}

Device use_device(const std::string& device, const std::string& matmul) {
  using cuda::MatmulPrecision;
  check(device == "cpu" || device == "cuda", "unknown device '{}'; there are cpu, cuda", device);
  check(matmul == "f32" || matmul == "tf32" || matmul == "bf16", "unknown --matmul '{}'; there are f32, tf32, bf16",
        matmul);
  check(device == "cuda" || matmul == "f32", "--matmul {} is for --device cuda; the CPU multiplies in f32", matmul);
  if (device == "cpu") return Device::cpu;
  if constexpr (cuda_built)
    check(cuda::available(), "--device cuda: {}; use --device cpu", cuda::why_unavailable());
  else
    fail("--device cuda: this build has no CUDA backend; use --device cpu");
  cuda::set_matmul_precision(matmul == "f32"    ? MatmulPrecision::f32
                             : matmul == "tf32" ? MatmulPrecision::tf32
                                                : MatmulPrecision::bf16);
  return Device::cuda;
}

std::string with_commas(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::int64_t first = number < 0 ? 1 : 0;
  for (std::int64_t i = static_cast<std::int64_t>(digits.size()) - 3; i > first; i -= 3)
    digits.insert(static_cast<std::size_t>(i), ",");
  return digits;
}

std::string human_bytes(double bytes) {
  if (bytes >= 0x1p30) return fmt::format("{:.1f} GiB", bytes / 0x1p30);
  if (bytes >= 0x1p20) return fmt::format("{:.0f} MiB", bytes / 0x1p20);
  return fmt::format("{:.0f} KiB", std::ceil(bytes / 0x1p10));
}

std::string human_seconds(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(seconds, 0.0)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace glimpse::tools
