#pragma once
// Loops over all cores. Work is cut the same way for a given thread count, so results repeat bit for bit.

#include <algorithm>
#include <cstdint>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace glimpse::kernels {

/// Number of threads that parallel_for may use (OMP_NUM_THREADS, or set_threads).
inline int threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

inline void set_threads([[maybe_unused]] int count) {
#ifdef _OPENMP
  omp_set_num_threads(count);
#endif
}

/// Calls body(begin, end) on contiguous, disjoint parts of [0, n), at most one per thread, none smaller than `grain`
/// where avoidable. The body must not throw.
template <class Body>
void parallel_for(std::int64_t n, std::int64_t grain, Body&& body) {
  if (n <= 0) return;
  const std::int64_t parts = std::min<std::int64_t>(threads(), (n + grain - 1) / std::max<std::int64_t>(grain, 1));
  if (parts <= 1) {
    body(std::int64_t{0}, n);
    return;
  }
#ifdef _OPENMP
#pragma omp parallel for num_threads(static_cast<int>(parts)) schedule(static, 1)
#endif
  for (std::int64_t p = 0; p < parts; ++p) body(n * p / parts, n * (p + 1) / parts);
}

}  // namespace glimpse::kernels
