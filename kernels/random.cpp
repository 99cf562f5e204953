#include "glimpse/kernels/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "glimpse/kernels/base/parallel.h"

namespace glimpse::kernels {
namespace {

/// Calls make(block of random numbers, x[2b], x[2b + 1]) for all pairs of elements.
template <class T, class Make>
void fill_pairs(std::int64_t n, std::uint64_t seed, std::uint64_t position, T* x, Make make) {
  parallel_for((n + 1) / 2, 1 << 10, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      T pair[2];
      make(philox(seed, position + static_cast<std::uint64_t>(b)), pair[0], pair[1]);
      std::copy_n(pair, std::min<std::int64_t>(2, n - 2 * b), x + 2 * b);
    }
  });
}

}  // namespace

template <class T>
void fill_uniform(Cpu, std::int64_t n, double low, double high, std::uint64_t seed, std::uint64_t position, T* x) {
  const T largest = std::nextafter(static_cast<T>(high), static_cast<T>(low));  // rounding to T must not reach `high`
  const auto scaled = [=](double unit) { return std::min(static_cast<T>(low + (high - low) * unit), largest); };
  fill_pairs(n, seed, position, x, [=](const Philox4& r, T& a, T& b) {
    a = scaled(unit_double(r.v[0], r.v[1]));
    b = scaled(unit_double(r.v[2], r.v[3]));
  });
}

template <class T>
void fill_normal(Cpu, std::int64_t n, double mean, double std, std::uint64_t seed, std::uint64_t position, T* x) {
  fill_pairs(n, seed, position, x, [=](const Philox4& r, T& a, T& b) {
    const double radius = std * std::sqrt(-2 * std::log(1 - unit_double(r.v[0], r.v[1])));
    const double angle = 2 * std::numbers::pi * unit_double(r.v[2], r.v[3]);
    a = static_cast<T>(mean + radius * std::cos(angle));
    b = static_cast<T>(mean + radius * std::sin(angle));
  });
}

GLIMPSE_RANDOM_KERNELS(Cpu, float)
GLIMPSE_RANDOM_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
