#include "program.h"

#include <algorithm>
#include <cstdio>
#include <new>

#include "glimpse/engine/version.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/cuda/precision.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse::tools {

void parse_arguments(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", fmt::format("{} (Glimpse {}), {}", app.get_name(), version(), built_with()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
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

void add_device_options(CLI::App& app, DeviceOptions& options) {
  app.add_option("--device", options.device, "cpu or cuda")
      ->check(CLI::IsMember(choice_names<Device>()))
      ->capture_default_str();
  app.add_option("--matmul", options.matmul, matmul_help)
      ->check(CLI::IsMember(choice_names<MatmulPrecision>()))
      ->capture_default_str();
}

Device use_device(const DeviceOptions& options) {
  const Device device = *choice_named<Device>(options.device);
  glimpse::use_device(device, *choice_named<MatmulPrecision>(options.matmul));
  return device;
}

}  // namespace glimpse::tools
