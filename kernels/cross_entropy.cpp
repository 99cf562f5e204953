#include "glimpse/kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/internal/softmax_row.h"

namespace glimpse::kernels {
namespace {

std::int64_t row_grain(std::int64_t v) { return std::max<std::int64_t>(1, (1 << 13) / std::max<std::int64_t>(v, 1)); }

template <class T>
double row_sum(std::int64_t n, const T* x) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  return sum;
}

}  // namespace

template <class T>
void cross_entropy_forward(Cpu, std::int64_t n, std::int64_t v, const T* logits, CrossEntropyTargets targets,
                           double* log_sum_exp, double* loss) {
  vector_for(n, row_grain(v), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      loss[r] = log_sum_exp[r] = 0;
      if (targets.target[r] == targets.ignore_index) continue;
      const T* x = logits + r * v;
      const T max = row_max(v, x);
      if (std::isinf(max) && max < T(0)) {  // no word has any probability
        loss[r] = std::numeric_limits<double>::infinity();
        continue;
      }
      const double log_sum = std::log(row_sum_exp(v, x, max));
      log_sum_exp[r] = static_cast<double>(max) + log_sum;
      double expected = (1 - targets.smoothing) * static_cast<double>(x[targets.target[r]]);  // of the logit under q
      if (targets.smoothing > 0) expected += targets.smoothing / static_cast<double>(v) * row_sum(v, x);
      loss[r] = log_sum_exp[r] - expected;
    }
  });
}

template <class T>
void cross_entropy_backward(Cpu, const CrossEntropyBackward<T>& call) {
  const double scale = call.scale * static_cast<double>(*call.dloss);
  vector_for(call.n, row_grain(call.v), [=](std::int64_t begin, std::int64_t end) {
    const std::int64_t v = call.v;
    const CrossEntropyTargets& targets = call.targets;
    for (std::int64_t r = begin; r < end; ++r) {
      const T* x = call.logits + r * v;
      T* dx = call.dlogits + r * v;
      if (targets.target[r] == targets.ignore_index) {
        std::fill_n(dx, v, T(0));
        continue;
      }
      // x - log_sum_exp in two steps keeps the digits that a float log_sum_exp would drop.
      const T high = static_cast<T>(call.log_sum_exp[r]);
      const T low = static_cast<T>(call.log_sum_exp[r] - static_cast<double>(high));
      const T factor = static_cast<T>(scale);
      const T floor = static_cast<T>(scale * targets.smoothing / static_cast<double>(v));
#pragma omp simd
      for (std::int64_t i = 0; i < v; ++i) dx[i] = factor * kernels::exp((x[i] - high) - low) - floor;
      dx[targets.target[r]] -= static_cast<T>(scale * (1 - targets.smoothing));
    }
  });
}

GLIMPSE_CROSS_ENTROPY_KERNELS(Cpu, float)
GLIMPSE_CROSS_ENTROPY_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
