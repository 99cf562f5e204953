#include "program.h"

#include <algorithm>
#include <cstdio>
#include <new>

#include "glimpse/engine/version.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/kernels/cuda/precision.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse::tools {

namespace {

constexpr const char* exit_codes =
    "Exit code: 0 all done; 1 something failed, said on stderr; 2 a wrong command line; 130 stopped by Ctrl-C.";

/// What to say of the first option that does not exist; "" when all do.
std::string unknown_option(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    const std::string name(argument.substr(0, argument.find('=')));
    if (std::find(names.begin(), names.end(), name) == names.end())
      return fmt::format("there is no option {:.100}{}", name, did_you_mean(name, names));
  }
  return "";
}

}  // namespace

void parse_arguments(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", fmt::format("{} (Glimpse {}), {}", app.get_name(), version(), built_with()));
  app.footer(exit_codes);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    throw Exit{app.exit(e)};
  } catch (const CLI::ParseError& e) {
    const std::string unknown = unknown_option(app, argc, argv);
    std::string message = unknown.empty() ? e.what() : unknown;
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
