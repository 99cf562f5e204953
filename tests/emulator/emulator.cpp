#include "glimpse/tests/emulator/emulator.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "glimpse/kernels/base/check.h"
#include "glimpse/tests/emulator/calls.h"

namespace glimpse::emulator {
namespace {

std::mutex one_launch_at_a_time;

void check_shape(const Grid& g) {
  const auto text = [](dim3 d) { return fmt::format("({},{},{})", d.x, d.y, d.z); };
  const bool grid_fits = g.grid.x >= 1 && g.grid.x <= 0x7fffffffu && g.grid.y >= 1 && g.grid.y <= 65535 &&
                         g.grid.z >= 1 && g.grid.z <= 65535;
  check(grid_fits, "{}: launched with a grid of {} blocks; 1..2147483647, 1..65535, 1..65535 are possible", g.name,
        text(g.grid));
  const std::uint64_t threads = std::uint64_t{g.block.x} * g.block.y * g.block.z;
  check(threads >= 1 && threads <= 1024 && g.block.z <= 64,
        "{}: launched with blocks of {} threads; 1..1024 are possible", g.name, text(g.block));
}

/// Blocks in an order drawn from the seed.
std::vector<std::uint64_t> block_order(const Grid& g, std::uint64_t seed) {
  std::vector<std::uint64_t> order(std::uint64_t{g.grid.x} * g.grid.y * g.grid.z);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::uint64_t random = seed * 0x9e3779b97f4a7c15ull | 1;
  for (std::size_t i = order.size(); i > 1; --i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    std::swap(order[i - 1], order[random % i]);
  }
  return order;
}

struct SharedMemoryOfLaunch {
  explicit SharedMemoryOfLaunch(const Grid& g) { begin_shared_memory(g.shared, g.name.c_str()); }
  ~SharedMemoryOfLaunch() { end_shared_memory(); }
};

}  // namespace

Options& options() {
  static Options value;
  return value;
}

std::function<void(const LaunchShape&)>& on_launch() {
  static std::function<void(const LaunchShape&)> value;
  return value;
}

void run(const Grid& g) {
  check_shape(g);
  const std::lock_guard guard(one_launch_at_a_time);
  count_call(&Calls::launches);
  if (on_launch()) on_launch()({g.grid.x * g.grid.y * g.grid.z, g.block.x * g.block.y * g.block.z, g.shared});
  const Options o = options();
  const SharedMemoryOfLaunch shared(g);
  for (const std::uint64_t b : block_order(g, o.seed)) {
    const uint3 index{static_cast<unsigned>(b % g.grid.x), static_cast<unsigned>(b / g.grid.x % g.grid.y),
                      static_cast<unsigned>(b / g.grid.x / g.grid.y)};
    std::exception_ptr error;
    try {
      const auto block = o.system_threads ? make_thread_block(g, index, o.allow_early_exit)
                                          : make_fiber_block(g, index, o.allow_early_exit, o.seed);
      block->run();
    } catch (...) {
      error = std::current_exception();
    }
    try {
      end_block_of_shared_memory(g.name.c_str());
    } catch (...) {
      if (!error) error = std::current_exception();
    }
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace glimpse::emulator
