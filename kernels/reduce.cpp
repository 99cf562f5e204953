#include "glimpse/kernels/reduce.h"

#include <algorithm>
#include <vector>

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

/// Long sums are cut into parts of about this many elements: each part is one thread's work, and the parts are added up
/// in order.
constexpr std::int64_t part_elements = 1 << 14;

template <class T>
double sum_contiguous(std::int64_t n, const T* x) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  return sum;
}

/// sum[i] = sum over k of x[k,i], x (n,inner).
template <class T>
void sum_rows(std::int64_t n, std::int64_t inner, const T* x, double* sum) {
  if (inner == 1) {
    *sum = sum_contiguous(n, x);
    return;
  }
  std::fill_n(sum, inner, 0.0);
  for (std::int64_t k = 0; k < n; ++k)
#pragma omp simd
    for (std::int64_t i = 0; i < inner; ++i) sum[i] += static_cast<double>(x[k * inner + i]);
}

}  // namespace

template <class T>
void reduce_sum(Cpu, std::int64_t outer, std::int64_t n, std::int64_t inner, double scale, const T* x, T* y) {
  const std::int64_t part = std::max<std::int64_t>(1, part_elements / std::max<std::int64_t>(inner, 1));
  const std::int64_t parts = std::max<std::int64_t>(1, (n + part - 1) / part);
  const std::int64_t grain =
      std::max<std::int64_t>(1, part_elements / std::max<std::int64_t>(1, std::min(n, part) * inner));
  std::vector<double> partial(static_cast<std::size_t>(outer * parts * inner));
  vector_for(outer * parts, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t o = p / parts, k = p % parts * part;
      sum_rows(std::min(part, n - k), inner, x + (o * n + k) * inner, partial.data() + p * inner);
    }
  });
  vector_for(outer, std::max<std::int64_t>(1, part_elements / std::max<std::int64_t>(1, parts * inner)),
             [&](std::int64_t begin, std::int64_t end) {
               for (std::int64_t o = begin; o < end; ++o) {
                 double* total = partial.data() + o * parts * inner;
                 for (std::int64_t p = 1; p < parts; ++p)
                   for (std::int64_t i = 0; i < inner; ++i) total[i] += total[p * inner + i];
                 for (std::int64_t i = 0; i < inner; ++i) y[o * inner + i] = static_cast<T>(scale * total[i]);
               }
             });
}

GLIMPSE_REDUCE_KERNELS(Cpu, float)
GLIMPSE_REDUCE_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
