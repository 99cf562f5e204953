#pragma once
// What every program does around its work: command line, errors as one line, exit codes.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

#include "glimpse/engine/device.h"

namespace glimpse::tools {

/// Thrown to leave a program early with an exit code, after everything has been said.
struct Exit {
  int code;
};

/// Reads the command line. --help and --version print and throw Exit{0}; a wrong option prints one line and throws
/// Exit{2}.
void parse_arguments(CLI::App& app, int argc, char** argv);

constexpr int stopped_exit_code = 130;  ///< what shells report for Ctrl-C

/// Runs `body` and returns the program's exit code: 0; 1 after "name: message" on stderr for an exception; an Exit's
/// code; stopped_exit_code for Stopped. Output that stdout did not take (closed, full, its reader gone) makes a 0 a 1.
int run_program(const std::string& name, const std::function<void()>& body);

/// Writes `text` to stdout or stderr and flushes. Where that fails the work goes on: what stdout has lost is said by
/// run_program at the end.
void write_text(std::FILE* stream, std::string_view text);
/// Flushes stdout. Throws Error where it has lost output: for programs whose output is their work.
void require_output();

/// How a program is called that lies where `program` does, which was called by that name (argv[0]).
std::string beside(const std::string& program, const std::string& name);

/// `text` as one word of a shell's command line, quoted where it must be.
std::string shell_word(const std::string& text);

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
inline constexpr const char* matmul_help =
    "factors of products: f32, or rounded to bf16 (GPUs, CPUs with AMX or AVX512-BF16) or tf32 (GPUs)";

}  // namespace glimpse::tools
