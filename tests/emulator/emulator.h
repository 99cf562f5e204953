#pragma once
// Runs CUDA kernels where there is no GPU: g++ compiles a .cu file against this instead of CUDA's headers, and a launch
// runs its threads here, one block after another. What is left to chance on a GPU (the order of threads and blocks) is
// drawn from a seed; what CUDA leaves undefined (divergent barriers, shared memory read before it is written, writes
// past its end, values shuffled from absent lanes, misaligned packs) is reported or poisoned.

#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>

#include "glimpse/tests/emulator/block.h"
#include "glimpse/tests/emulator/device_memory.h"
#include "glimpse/tests/emulator/intrinsics.h"
#include "glimpse/tests/emulator/language.h"
#include "glimpse/tests/emulator/shared_memory.h"
#include "glimpse/tests/emulator/warp.h"

namespace glimpse::emulator {

struct Options {
  std::uint64_t seed = 1;  ///< of the order of threads and blocks; odd: one warp runs ahead
  /// One operating system thread per thread of the kernel, for ThreadSanitizer, instead of fibers.
  bool system_threads = false;
  /// As compute capability 7 and later document it: threads that have exited are not waited for. Off, a barrier or a
  /// mask that an exited thread is missing from is an error, as it is to compute-sanitizer.
  bool allow_early_exit = false;
  /// Kernels may be given memory of the host, as if it were managed memory. Off, that is an error.
  bool any_memory = false;
};

/// Of the launches to come, in the whole process.
Options& options();

/// The shape of a launch: which of several kernels was taken shows in it.
struct LaunchShape {
  unsigned blocks, threads;  ///< in all dimensions together
  std::size_t shared;        ///< bytes of dynamic shared memory
};
/// Called, if set, before each launch.
std::function<void(const LaunchShape&)>& on_launch();

/// Runs the grid to its end. Throws Error for a shape that CUDA refuses, and the first error of a block.
void run(const Grid& grid);

/// kernel<<<grid, block, shared>>>(arguments...).
template <class... P, class... A>
void launch_emulated(std::string name, dim3 grid, dim3 block, std::size_t shared, void (*kernel)(P...),
                     A&&... arguments) {
  struct Call {
    void (*kernel)(P...);
    std::tuple<P...> arguments;
  };
  Call call{kernel, std::tuple<P...>(static_cast<P>(arguments)...)};
  static_assert((std::is_trivially_copyable_v<P> && ...), "CUDA copies arguments as bytes");
  std::apply(
      [&](auto&... each) {
        int number = 0;
#if __has_builtin(__builtin_clear_padding)  // what is left there may look like an address
        (__builtin_clear_padding(&each), ...);
#endif
        (translate_argument(&each, sizeof each, ++number, name.c_str(), options().any_memory), ...);
      },
      call.arguments);
  run({std::move(name), grid, block, shared,
       [](const void* context) {
         const Call& c = *static_cast<const Call*>(context);
         std::apply(c.kernel, c.arguments);
       },
       &call});
}

}  // namespace glimpse::emulator
