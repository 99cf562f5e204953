#pragma once
// What every program does around its work: command line, errors as one line, exit codes.

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "glimpse/engine/device.h"

namespace glimpse::tools {

/// Thrown to leave a program early with an exit code, after everything has been said.
struct Exit {
  int code;
};

/// Reads the command line. --help and --version print and throw Exit{0}; a wrong option prints one line and throws
/// Exit{2}.
void parse_arguments(CLI::App& app, int argc, char** argv);

/// Runs `body` and returns the program's exit code: 0; 1 after "name: message" on stderr for an exception; an Exit's
/// code.
int run_program(const std::string& name, const std::function<void()>& body);

/// Uses `count` threads for all loops; 0: as many as the process may keep busy (kernels::usable_processors).
void use_threads(int count);

/// Where a program computes: --device and --matmul.
struct DeviceOptions {
  std::string device = "cpu", matmul = "f32";
};
void add_device_options(CLI::App& app, DeviceOptions& options);
/// Prepares the device (use_device). Throws Error for a name that does not exist and where it cannot be used.
Device use_device(const DeviceOptions& options);

/// What --matmul is for.
inline constexpr const char* matmul_help = "factors of products on a GPU: f32, or rounded to tf32 or bf16";

}  // namespace glimpse::tools
