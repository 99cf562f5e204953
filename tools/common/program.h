#pragma once
// What every program does around its work: command line, errors as one line, exit codes.

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "glimpse/engine/dtype.h"

namespace glimpse::tools {

/// Thrown to leave a program early with an exit code, after everything has been said.
struct Exit {
  int code;
};

/// Reads the command line. --help prints and throws Exit{0}; a wrong option prints one line and throws Exit{2}.
void parse_arguments(CLI::App& app, int argc, char** argv);

/// Runs `body` and returns the program's exit code: 0; 1 after "name: message" on stderr for an exception; an Exit's
/// code.
int run_program(const std::string& name, const std::function<void()>& body);

/// Uses `count` threads for all loops; 0: as many as the machine has cores (or OMP_NUM_THREADS says).
void use_threads(int count);

/// The device "cpu" or "cuda", with products of f32 numbers in `matmul`, "f32", "tf32" or "bf16"
/// (kernels/cuda/precision.h), from now on. Throws Error for other names, where this build or this machine has no such
/// device, and where it cannot multiply so.
Device use_device(const std::string& device, const std::string& matmul);

/// What --matmul is for.
constexpr const char* matmul_help = "factors of products on a GPU: f32, or rounded to tf32 or bf16";

/// "1,234,567".
std::string with_commas(std::int64_t number);
/// "1.2 GiB", "35 MiB", "812 KiB".
std::string human_bytes(double bytes);
/// "2:07:31", "4:05" or "12 s".
std::string human_seconds(double seconds);

}  // namespace glimpse::tools
