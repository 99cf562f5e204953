#pragma once
// Kernels are overloads on one of these tags; the tag carries what a launch needs and nothing else.

namespace glimpse::kernels {

/// Runs on the threads of this process (parallel.h).
struct Cpu {};

/// Runs on a CUDA stream (a cudaStream_t, kept opaque so that no CUDA header is needed here).
struct Cuda {
  void* stream = nullptr;
};

}  // namespace glimpse::kernels
