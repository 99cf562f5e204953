#pragma once
// Loops over all cores. Work is cut the same way for a given thread count, so results repeat bit for bit.

#include <algorithm>
#include <cstdint>
#include <functional>

namespace glimpse::kernels {

/// Threads that parallel_for uses when called from this thread: set_threads, else usable_processors(); 1 within a loop.
int threads();

/// Sets threads() for the thread that calls it; 0: as many as there are processors.
void set_threads(int count);

/// Calls part(context, p) for p in [0, parts) on threads() threads. While another thread runs a loop, on this one
/// alone.
void run_parts(std::int64_t parts, void (*part)(const void* context, std::int64_t p), const void* context);

/// Calls body(begin, end) on contiguous, disjoint parts of [0, n), at most one per thread, none smaller than `grain`
/// where avoidable. The body must not throw.
template <class Body>
void parallel_for(std::int64_t n, std::int64_t grain, const Body& body) {
  if (n <= 0) return;
  const std::int64_t most = (n + grain - 1) / std::max<std::int64_t>(grain, 1);
  const std::int64_t parts = most <= 1 ? 1 : std::min<std::int64_t>(threads(), most);
  if (parts <= 1) {
    body(std::int64_t{0}, n);
    return;
  }
  struct Context {
    const Body& body;
    std::int64_t n, parts;
  };
  const Context context{body, n, parts};
  run_parts(
      parts,
      [](const void* given, std::int64_t p) {
        const Context& c = *static_cast<const Context*>(given);
        c.body(c.n * p / c.parts, c.n * (p + 1) / c.parts);
      },
      &context);
}

/// Calls work(i) for i < count on all threads. What a call throws is thrown again here, when all are done: that of the
/// smallest i.
void parallel_for_each(std::int64_t count, const std::function<void(std::int64_t)>& work);

}  // namespace glimpse::kernels
