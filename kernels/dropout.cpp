#include "glimpse/kernels/dropout.h"

#include <algorithm>

#include "glimpse/kernels/parallel.h"
#include "glimpse/kernels/philox.h"

namespace glimpse::kernels {

template <class T>
void dropout(Cpu, std::int64_t n, double p, std::uint64_t seed, std::uint64_t position, const T* x, T* y) {
  constexpr std::int64_t blocks = 16, chunk = 4 * blocks;
  const std::uint64_t dropped = static_cast<std::uint64_t>(p * 0x1p32);  // random numbers below are dropped
  const T scale = p < 1 ? static_cast<T>(1 / (1 - p)) : T(0);
  parallel_for((n + chunk - 1) / chunk, 64, [=](std::int64_t begin, std::int64_t end) {
    std::uint32_t random[chunk];
    for (std::int64_t c = begin; c < end; ++c) {
      const std::uint64_t first = position + static_cast<std::uint64_t>(c * blocks);
#pragma omp simd
      for (int b = 0; b < blocks; ++b) {
        const Philox4 r = philox(seed, first + static_cast<std::uint64_t>(b));
        for (int lane = 0; lane < 4; ++lane) random[4 * b + lane] = r.v[lane];
      }
      const std::int64_t offset = c * chunk, m = std::min(chunk, n - offset);
#pragma omp simd
      for (std::int64_t i = 0; i < m; ++i) y[offset + i] = random[i] >= dropped ? x[offset + i] * scale : T(0);
    }
  });
}

template void dropout(Cpu, std::int64_t, double, std::uint64_t, std::uint64_t, const float*, float*);
template void dropout(Cpu, std::int64_t, double, std::uint64_t, std::uint64_t, const double*, double*);

}  // namespace glimpse::kernels
