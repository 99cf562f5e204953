// Times every kernel at the sizes that the captioner uses: median time, bytes and operations a second, and the share of
// the roofline, which is measured on the same device in the same run. A kernel whose result differs from the CPU kernel
// in double is not timed. Buffers rotate, so that no call finds its data in a cache.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "kernels/roofline.h"

namespace glimpse::bench {
namespace {

struct Options {
  std::string device = "auto", only, json;
  std::vector<std::string> dtypes;
  int samples = 20, threads = 0;
  double sample_ms = 1, rotate_mb = 0;
  bool list = false, tiny = false;
};

struct Row {
  std::string kernel;
  Sizes sizes;
  DType dtype;
  Cost cost;
  double error = 0;
  Timing calls, replayed;  // replayed.median is 0 without a graph
  bool graph = false;

  const Timing& best() const { return graph && replayed.median < calls.median ? replayed : calls; }
};

std::string text_of(const Sizes& sizes) {
  std::string text;
  for (const auto& [name, value] : sizes) text += (text.empty() ? "" : " ") + name + "=" + std::to_string(value);
  return text;
}

/// The first columns of a row. A long name takes the room of the sizes.
std::string heading_of(const std::string& kernel, const std::string& sizes, const char* type) {
  return fmt::format("{:<63} {:<5} ", fmt::format("{:<28} {}", kernel, sizes), type);
}

/// Relative L2 error that a right result stays below; doubled sums and short rows are far better.
double largest_error(DType dtype, Unit unit) {
  if (dtype == DType::bf16) return 1e-2;
  return unit == Unit::tf32 ? 2e-3 : 1e-5;
}

Place choose_place(const std::string& device) {
  Place place;
  if constexpr (cuda_built) {
    if (device == "cuda" || (device == "auto" && cuda::available())) {
      cuda::device_info();                       // throws why there is none
      place = {true, detail::current_stream()};  // ops run in no other
    } else if (device == "auto") {
      std::fprintf(stderr, "no GPU (%s): measuring the CPU kernels\n", cuda::why_unavailable().c_str());
    }
  } else {
    check(device != "cuda", "--device cuda: this program was built without CUDA");
  }
  return place;
}

DType dtype_called(const std::string& name) { return name == "bf16" ? DType::bf16 : DType::f32; }

/// Nothing where the kernel does not exist for the device and type.
std::optional<Row> measure(const KernelCase& kernel_case, const Place& place, DType dtype, const Options& options,
                           const Rotation& rotation) {
  const std::optional<Subject> subject = kernel_case.make(place, dtype, rotation);
  if (!subject) return std::nullopt;
  Row row{kernel_case.kernel, kernel_case.sizes, dtype, subject->cost, 0, {}, {}, false};
  subject->run(0);
  row.error = subject->error();
  if (!(row.error <= largest_error(dtype, row.cost.unit))) return row;
  const Sampling sampling{options.samples, options.sample_ms};
  const auto call = [&](int i) { subject->run(i % subject->sets); };
  row.calls = time_calls(place, sampling, call);
  row.graph = time_replayed(place, sampling, call, row.replayed);
  return row;
}

void print_heading(const Place& place, const Roofline& roofline, const Rotation& rotation) {
  std::printf("%s: copy %.0f GB/s, f32 products %.3g TFLOP/s", device_name(place).c_str(), roofline.copy * 1e-9,
              roofline.f32 * 1e-12);
  if (place.cuda) std::printf(", TF32 %.3g TFLOP/s, bf16 %.3g TFLOP/s", roofline.tf32 * 1e-12, roofline.bf16 * 1e-12);
  std::printf("; a launch %.2f us", roofline.launch_us);
  if (roofline.replayed_launch_us > 0) std::printf(", in a graph %.2f us", roofline.replayed_launch_us);
  std::printf("; buffers of %.0f MB in turn\n\n", rotation.bytes * 1e-6);
  std::printf("%s%10s %10s %9s %9s %9s %9s %9s\n", heading_of("kernel", "sizes", "type").c_str(), "us", "in graph",
              "MB", "GB/s", "TFLOP/s", "roofline", "error");
}

void print_row(const Row& row, const Roofline& roofline) {
  std::printf("%s", heading_of(row.kernel, text_of(row.sizes), name_of(row.dtype)).c_str());
  if (row.calls.median == 0) {
    std::printf("WRONG: relative error %.2g, allowed %.2g\n", row.error, largest_error(row.dtype, row.cost.unit));
    return;
  }
  const double us = row.best().median;
  std::printf("%10.2f ", row.calls.median);
  if (row.graph)
    std::printf("%10.2f ", row.replayed.median);
  else
    std::printf("%10s ", "-");
  std::printf("%9.2f %9.1f %9.3g %8.0f%% %9.1g\n", row.cost.bytes * 1e-6, row.cost.bytes / us * 1e-3,
              row.cost.operations / us * 1e-6, 100 * roofline.least_us(row.cost) / us, row.error);
  std::fflush(stdout);
}

nlohmann::ordered_json json_of(const Row& row, const Roofline& roofline) {
  nlohmann::ordered_json sizes = nlohmann::ordered_json::object(), us, spread;
  for (const auto& [name, value] : row.sizes) sizes[name] = value;
  const auto put = [&](const char* variant, const Timing& timing) {
    us[variant] = timing.median;
    spread[variant] = {timing.low, timing.high};
  };
  put("calls", row.calls);
  if (row.graph) put("graph", row.replayed);
  const double best = row.best().median;
  return {{"kernel", row.kernel},
          {"sizes", sizes},
          {"dtype", name_of(row.dtype)},
          {"us", us},
          {"us_10_90", spread},
          {"bytes", row.cost.bytes},
          {"operations", row.cost.operations},
          {"gb_per_s", row.cost.bytes / best * 1e-3},
          {"tflop_per_s", row.cost.operations / best * 1e-6},
          {"share_of_roofline", roofline.least_us(row.cost) / best},
          {"error", row.error}};
}

void write_json(const std::string& path, const nlohmann::ordered_json& json) {
  const std::string temporary = path + ".part";
  {
    std::ofstream file(temporary);
    file << json.dump(1) << "\n";
    check(file.good(), "--json: cannot write {}", temporary);
  }
  std::filesystem::rename(temporary, path);
}

/// False when a kernel was wrong or failed.
bool run(const Options& options) {
  if (options.threads > 0) kernels::set_threads(options.threads);
  const std::vector<KernelCase> rows = all_rows(options.tiny);
  const std::regex only(options.only);
  const auto wanted = [&](const KernelCase& c) { return std::regex_search(c.kernel + " " + text_of(c.sizes), only); };
  if (options.list) {
    for (const KernelCase& c : rows)
      if (wanted(c)) std::printf("%s %s\n", c.kernel.c_str(), text_of(c.sizes).c_str());
    return true;
  }
  const Place place = choose_place(options.device);
  std::vector<std::string> dtypes = options.dtypes;
  if (dtypes.empty()) dtypes = place.cuda ? std::vector<std::string>{"f32", "bf16"} : std::vector<std::string>{"f32"};
  const Roofline roofline = measure_roofline(place, {options.samples, options.sample_ms}, options.tiny);
  // Processors may claim caches of hundreds of megabytes that they share with others; a gigabyte is enough for them.
  const double rotated = std::min(4 * last_cache(place), place.cuda ? 1e12 : 1e9);
  const Rotation rotation{options.rotate_mb > 0 ? options.rotate_mb * 1e6 : rotated};
  print_heading(place, roofline, rotation);

  nlohmann::ordered_json results = {{"what", "kernels"},
                                    {"source", "Glimpse"},
                                    {"device", device_name(place)},
                                    {"copy_gb_per_s", roofline.copy * 1e-9},
                                    {"f32_tflop_per_s", roofline.f32 * 1e-12},
                                    {"tf32_tflop_per_s", roofline.tf32 * 1e-12},
                                    {"bf16_tflop_per_s", roofline.bf16 * 1e-12},
                                    {"launch_us", roofline.launch_us},
                                    {"launch_us_in_graph", roofline.replayed_launch_us},
                                    {"rotated_mb", rotation.bytes * 1e-6},
                                    {"rows", nlohmann::ordered_json::array()}};
  bool good = true;
  for (const std::string& dtype : dtypes)
    for (const KernelCase& c : rows) {
      if (!wanted(c)) continue;
      try {
        const std::optional<Row> row = measure(c, place, dtype_called(dtype), options, rotation);
        if (!row) continue;
        print_row(*row, roofline);
        if (row->calls.median > 0)
          results["rows"].push_back(json_of(*row, roofline));
        else
          good = false;
        // After each row: what is there when somebody stops it counts.
        if (!options.json.empty()) write_json(options.json, results);
      } catch (const std::exception& error) {
        std::printf("%sFAILED: %s\n", heading_of(c.kernel, text_of(c.sizes), dtype.c_str()).c_str(), error.what());
        good = false;
      }
    }
  return good;
}

}  // namespace
}  // namespace glimpse::bench

int main(int argc, char** argv) {
  using namespace glimpse::bench;
  CLI::App app("Times kernels and says how far they are from the roofline");
  Options options;
  app.add_option("--device", options.device, "auto: the GPU where there is one")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--dtype", options.dtypes, "f32, bf16; all that the device has when not given")
      ->check(CLI::IsMember({"f32", "bf16"}));
  app.add_option("--only", options.only, "A regular expression: rows whose kernel and sizes contain it");
  app.add_option("--json", options.json, "A file for the results");
  app.add_option("--samples", options.samples, "Timed samples, of which the median counts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--sample-ms", options.sample_ms, "A sample repeats the call until it takes this long")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--rotate-mb", options.rotate_mb, "Megabytes of buffers in turn; 0: four times the last cache")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--threads", options.threads, "Threads of the CPU, 0 for all")->check(CLI::NonNegativeNumber);
  app.add_flag("--list", options.list, "Only name the rows");
  app.add_flag("--tiny", options.tiny, "Tiny sizes, to try the program; the times mean nothing");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_kernels: %s\n", error.what());
    return 1;
  }
}
