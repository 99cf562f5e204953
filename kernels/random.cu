// Arrays of random numbers: a thread turns one Philox block into two numbers, in double as the CPU does, and rounds
// them.
//
// Bytes: n sizeof(T) written. Operations: about 100 an element, logarithm and cosine in double among them for the
// normal distribution; weights are drawn once, so nothing more is done about it.

#include "glimpse/kernels/random.h"

#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;

struct Uniform {
  double low, high;
  template <class T>
  __device__ __forceinline__ void draw(const Philox4& r, T largest, T& a, T& b) const {
    a = min(static_cast<T>(low + (high - low) * unit_double(r.v[0], r.v[1])), largest);
    b = min(static_cast<T>(low + (high - low) * unit_double(r.v[2], r.v[3])), largest);
  }
};

struct Normal {
  double mean, deviation;
  template <class T>
  __device__ __forceinline__ void draw(const Philox4& r, T, T& a, T& b) const {
    const double radius = deviation * sqrt(-2 * log(1 - unit_double(r.v[0], r.v[1])));
    double sine, cosine;
    sincospi(2 * unit_double(r.v[2], r.v[3]), &sine, &cosine);
    a = static_cast<T>(mean + radius * cosine);
    b = static_cast<T>(mean + radius * sine);
  }
};

template <class Distribution, class T>
__global__ void __launch_bounds__(threads, 4) fill_random_kernel(Distribution distribution, std::int64_t n, T largest,
                                                                 std::uint64_t seed, std::uint64_t position, T* x) {
  for (const std::int64_t p : grid_stride(ceil_div(n, 2))) {
    T a, b;
    distribution.draw(philox(seed, position + static_cast<std::uint64_t>(p)), largest, a, b);
    x[2 * p] = a;
    if (2 * p + 1 < n) x[2 * p + 1] = b;
  }
}

template <class Distribution, class T>
void fill_random(Cuda device, const char* name, Distribution distribution, std::int64_t n, T largest,
                 std::uint64_t seed, std::uint64_t position, T* x) {
  if (n == 0) return;
  launch(device, {name, {n}, grid_for(ceil_div(n, 2), threads), threads}, fill_random_kernel<Distribution, T>,
         distribution, n, largest, seed, position, x);
}

}  // namespace

template <class T>
void fill_uniform(Cuda device, std::int64_t n, double low, double high, std::uint64_t seed, std::uint64_t position,
                  T* x) {
  const T largest = std::nextafter(static_cast<T>(high), static_cast<T>(low));  // rounding to T must not reach `high`
  fill_random(device, "fill_uniform", Uniform{low, high}, n, largest, seed, position, x);
}

template <class T>
void fill_normal(Cuda device, std::int64_t n, double mean, double std, std::uint64_t seed, std::uint64_t position,
                 T* x) {
  fill_random(device, "fill_normal", Normal{mean, std}, n, T(0), seed, position, x);
}

GLIMPSE_RANDOM_KERNELS(Cuda, float)
GLIMPSE_RANDOM_KERNELS(Cuda, double)

}  // namespace glimpse::kernels
