#include "glimpse/kernels/topk.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/internal/softmax_row.h"

namespace glimpse::kernels {
namespace {

/// The k best of one row so far, in order.
template <class T>
struct Best {
  std::int64_t k, count = 0;
  double* value;  // logits until the end
  std::int32_t* index;

  /// What an entry must exceed to get in; entries come by rising index, so an equal one stays out.
  T threshold() const { return count < k ? -std::numeric_limits<T>::infinity() : static_cast<T>(value[k - 1]); }
  void insert(T x, std::int64_t i) {
    std::int64_t place = count < k ? count++ : k - 1;
    for (; place > 0 && value[place - 1] < static_cast<double>(x); --place) {
      value[place] = value[place - 1];
      index[place] = index[place - 1];
    }
    value[place] = static_cast<double>(x);
    index[place] = static_cast<std::int32_t>(i);
  }
};

/// Most blocks of a row hold nothing that gets in; one vectorised maximum shows it.
constexpr std::int64_t block = 64;

template <class T>
void choose(std::int64_t n, const T* x, const std::int32_t* banned, std::int64_t banned_count, Best<T>& best) {
  const std::int32_t* banned_end = banned + banned_count;
  for (std::int64_t begin = 0; begin < n; begin += block) {
    const std::int64_t end = std::min(begin + block, n);
    if (best.count == best.k && !(row_max(end - begin, x + begin) > best.threshold())) continue;
    for (std::int64_t i = begin; i < end; ++i)
      if ((best.count < best.k || x[i] > best.threshold()) && std::find(banned, banned_end, i) == banned_end)
        best.insert(x[i], i);
  }
}

}  // namespace

template <class T>
void log_softmax_topk(Cpu, const TopK<T>& call) {
  vector_for(call.rows, 1 + 4096 / (call.vocabulary + 1), [=](std::int64_t begin, std::int64_t end) {
    const std::int64_t vocabulary = call.vocabulary, k = call.k;
    for (std::int64_t r = begin; r < end; ++r) {
      const T* x = call.logits + r * vocabulary;
      const T top = row_max(vocabulary, x);
      const double log_sum = static_cast<double>(top) + std::log(row_sum_exp(vocabulary, x, top));
      Best<T> best{k, 0, call.value + r * k, call.index + r * k};
      choose(vocabulary, x, call.banned, call.banned_count, best);
      for (std::int64_t j = 0; j < best.count; ++j) best.value[j] -= log_sum;
      std::fill(best.value + best.count, best.value + k, -std::numeric_limits<double>::infinity());
      std::fill(best.index + best.count, best.index + k, -1);
    }
  });
}

template <class T>
void rank_of_target(Cpu, std::int64_t rows, std::int64_t vocabulary, const T* logits, const std::int32_t* target,
                    std::int32_t* rank) {
  vector_for(rows, 1 + 4096 / (vocabulary + 1), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* x = logits + r * vocabulary;
      const std::int32_t t = target[r];
      const T own = x[t];
      std::int32_t before = 0;
#pragma omp simd reduction(+ : before)
      for (std::int64_t i = 0; i < t; ++i) before += x[i] >= own ? 1 : 0;
#pragma omp simd reduction(+ : before)
      for (std::int64_t i = t + 1; i < vocabulary; ++i) before += x[i] > own ? 1 : 0;
      rank[r] = before;
    }
  });
}

GLIMPSE_TOPK_KERNELS(Cpu, float)
GLIMPSE_TOPK_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
