#pragma once
// How every kernel of this project is started. Under nvcc a launch goes to the device's stream and is checked; under
// g++ the same .cu file meets the emulator (tests/emulator/emulator.h). There are no <<<>>> elsewhere.

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <string>
#include <utility>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/base/host_device.h"
#include "glimpse/kernels/cuda/runtime.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
/// A variable of the block: SHARED(float, tile, [32][33]); SHARED(float, total).
#define SHARED(type, name, ...) __shared__ type name __VA_ARGS__
/// A pointer to the bytes of Launch::shared. They are aligned to 16.
#define DYNAMIC_SHARED(type, name)                                        \
  extern __shared__ __align__(16) unsigned char glimpse_dynamic_shared[]; \
  type* const name = reinterpret_cast<type*>(glimpse_dynamic_shared)
#else
#include "glimpse/tests/emulator/emulator.h"
#endif

namespace glimpse::kernels {

/// Dynamic shared memory that a block has on every device; 8 KiB are left for SHARED variables.
constexpr std::size_t most_shared_unasked = 40 << 10;

/// Sizes that stand behind an operation's name in its errors.
struct LaunchSizes {
  static constexpr int most = 6;
  std::int64_t values[most] = {};
  int count = 0;

  template <std::integral... Size>
  LaunchSizes(Size... size) : values{static_cast<std::int64_t>(size)...}, count(sizeof...(size)) {
    static_assert(sizeof...(size) <= most, "an operation names at most six sizes");
  }
};

/// What is launched, for errors, and in which shape.
struct Launch {
  const char* operation;
  LaunchSizes sizes;
  dim3 grid;
  dim3 block;
  std::size_t shared = 0;  ///< bytes of dynamic shared memory

  /// "softmax_forward (64,1000)".
  std::string title() const {
    std::string text = operation;
    for (int i = 0; i < sizes.count; ++i) {
      text += i ? "," : " (";
      text += std::to_string(sizes.values[i]);
    }
    return text += ")";
  }

  /// The same and the shape of the launch.
  std::string description() const {
    const auto dims = [](dim3 d) {
      return std::to_string(d.x) + "x" + std::to_string(d.y) + "x" + std::to_string(d.z);
    };
    return title() + ", launched with " + dims(grid) + " blocks of " + dims(block) + " threads and " +
           std::to_string(shared) + " bytes of shared memory";
  }
};

/// Runs kernel(arguments...) on the device's stream. Throws Error naming the operation, its sizes and the shape of the
/// launch when CUDA refuses it. A fault inside the kernel shows at a later call; with GLIMPSE_CUDA_SYNC=1 in the
/// environment each launch is waited for, so that the error names the operation at fault.
template <class... P, class... A>
void launch([[maybe_unused]] Cuda device, const Launch& what, void (*kernel)(P...), A&&... arguments) {
#ifdef __CUDACC__
  // Above 48 KiB, SHARED variables included, a kernel has to say first what it will ask for.
  if (what.shared > most_shared_unasked)
    cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                         static_cast<int>(what.shared));
  const auto stream = static_cast<cudaStream_t>(device.stream);
  kernel<<<what.grid, what.block, what.shared, stream>>>(static_cast<P>(std::forward<A>(arguments))...);
  if (const int error = cuda::launch_error(device.stream)) cuda::fail_launch(error, what.description());
#else
  emulator::launch_emulated(what.title(), what.grid, what.block, what.shared, kernel, std::forward<A>(arguments)...);
#endif
}

/// ceil(n / d) for n >= 0, d > 0.
GLIMPSE_HOST_DEVICE constexpr std::int64_t ceil_div(std::int64_t n, std::int64_t d) { return (n + d - 1) / d; }

/// A number of blocks as Launch::grid takes it. Throws Error for none and for more than CUDA starts along x.
inline unsigned grid_size(std::int64_t blocks) {
  if (blocks < 1 || blocks > 0x7fffffff) throw Error("CUDA: a grid of " + std::to_string(blocks) + " blocks");
  return static_cast<unsigned>(blocks);
}

/// Blocks for `n` independent items, `per_block` at a time: no more than keep the device busy, since the kernels go on
/// by grid strides.
inline unsigned grid_for(std::int64_t n, std::int64_t per_block) {
  const std::int64_t enough = std::int64_t{8} * cuda::multiprocessors();
  return grid_size(std::clamp<std::int64_t>(ceil_div(n, per_block), 1, enough));
}

}  // namespace glimpse::kernels
