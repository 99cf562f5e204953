#pragma once
// What the tests of the emulator share: kernels that are lambdas, and the errors that they give.

#include <functional>
#include <string>

#include "catch.h"
#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::test {

/// What every thread of the grid runs. Not an argument: those are addresses of the device.
inline const std::function<void()>* running = nullptr;
inline __global__ void call() { (*running)(); }

inline void run(dim3 grid, dim3 block, const std::function<void()>& body, std::size_t shared = 0) {
  running = &body;
  kernels::launch(kernels::Cuda{}, {"test_kernel", {7}, grid, block, shared}, call);
}

/// The message of the Error that running `body` gives.
inline std::string failure(dim3 block, const std::function<void()>& body, std::size_t shared = 0) {
  try {
    run(1, block, body, shared);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

/// Checks that `part` stands in `text`.
inline void contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
}

/// Options that hold until the end of a scope.
struct WithOptions {
  emulator::Options before = emulator::options();
  explicit WithOptions(const emulator::Options& options) { emulator::options() = options; }
  ~WithOptions() { emulator::options() = before; }
};

}  // namespace glimpse::test
