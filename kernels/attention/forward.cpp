#include "glimpse/kernels/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glimpse/kernels/attention/internal/parts.h"
#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace attention {
namespace {

template <class Function, class T>
T score_of(std::int64_t width, const T* key, const T* query, const T* score) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t a = 0; a < width; ++a) sum += score[a] * Function::value(key[a] + query[a]);
  return sum;
}

/// Scores of locations [begin, end) for every query of a group, written to alpha.
template <class Function, class T>
void scores(const AttentionShape& s, const AttentionInputs<T>& in, const Group& group, std::int64_t begin,
            std::int64_t end, T* alpha) {
  const T* keys = in.keys + group.image * s.locations * s.width;
  const std::int32_t* mask = in.mask ? in.mask + group.image * s.locations : nullptr;
  for (std::int64_t l = begin; l < end; ++l)
    for (std::int64_t j = 0; j < group.count; ++j) {
      const std::int64_t row = group.row(j);
      alpha[row * s.locations + l] =
          mask && mask[l] == 0
              ? -std::numeric_limits<T>::infinity()
              : score_of<Function>(s.width, keys + l * s.width, in.query + row * in.query_stride, in.score);
    }
}

/// 0 everywhere for scores that are all -infinity. Returns the logarithm of the sum of e^x.
template <class T>
T softmax_in_place(std::int64_t n, T* x) {
  T top = std::numeric_limits<T>::lowest();
  for (std::int64_t i = 0; i < n; ++i) top = x[i] > top ? x[i] : top;
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) x[i] = kernels::exp(x[i] - top);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  const T scale = static_cast<T>(sum == 0 ? 0 : 1 / sum);
  for (std::int64_t i = 0; i < n; ++i) x[i] *= scale;
  return static_cast<T>(static_cast<double>(top) + std::log(sum));
}

/// From the scores of every query of a group to its alpha.
template <class T>
void normalise(const AttentionShape& s, const Group& group, T* alpha, T* log_sum) {
  for (std::int64_t j = 0; j < group.count; ++j) {
    const std::int64_t row = group.row(j);
    const T sum = softmax_in_place(s.locations, alpha + row * s.locations);
    if (log_sum) log_sum[row] = sum;
  }
}

/// Adds `count` <= 4 rows x, each times its weight, to y. Four rows a pass keep y in registers four times longer.
template <class T>
void add_rows(std::int64_t n, std::int64_t count, const T* weight, const T* x, std::int64_t stride, T* y) {
  const T *x0 = x, *x1 = x + (count > 1 ? stride : 0), *x2 = x + (count > 2 ? 2 * stride : 0),
          *x3 = x + (count > 3 ? 3 * stride : 0);
  const T w0 = weight[0], w1 = count > 1 ? weight[1] : T(0), w2 = count > 2 ? weight[2] : T(0),
          w3 = count > 3 ? weight[3] : T(0);
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] += (w0 * x0[i] + w1 * x1[i]) + (w2 * x2[i] + w3 * x3[i]);
}

/// Channels [begin, end) of the contexts of a group.
template <class T>
void contexts(const AttentionShape& s, const AttentionInputs<T>& in, const Group& group, std::int64_t begin,
              std::int64_t end, const T* alpha, T* context) {
  const T* features = in.features + group.image * s.locations * s.channels;
  for (std::int64_t j = 0; j < group.count; ++j)
    std::fill_n(context + group.row(j) * s.channels + begin, end - begin, T(0));
  for (std::int64_t l = 0; l < s.locations; l += 4)
    for (std::int64_t j = 0; j < group.count; ++j) {
      const std::int64_t row = group.row(j);
      add_rows(end - begin, std::min<std::int64_t>(4, s.locations - l), alpha + row * s.locations + l,
               features + l * s.channels + begin, s.channels, context + row * s.channels + begin);
    }
}

template <class Function, class T>
void forward(const AttentionShape& s, const AttentionInputs<T>& in, T* alpha, T* context, T* log_sum) {
  const std::int64_t parts = s.groups == 0 || grain(s) > 1 ? 1 : (threads() + s.groups - 1) / s.groups;
  if (parts == 1) {
    vector_for(s.groups, grain(s), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t g = begin; g < end; ++g) {
        const Group group(s, g);
        scores<Function>(s, in, group, 0, s.locations, alpha);
        normalise(s, group, alpha, log_sum);
        contexts(s, in, group, 0, s.channels, alpha, context);
      }
    });
    return;
  }
  // Fewer images than threads: these share the locations of an image, then its channels. No sum is cut, so the result
  // is the same.
  const auto shared = [&](std::int64_t size, auto work) {
    vector_for(s.groups * parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        work(Group(s, i / parts), size * (i % parts) / parts, size * (i % parts + 1) / parts);
    });
  };
  shared(s.locations, [&](const Group& group, std::int64_t begin, std::int64_t end) {
    scores<Function>(s, in, group, begin, end, alpha);
  });
  for (std::int64_t g = 0; g < s.groups; ++g) normalise(s, Group(s, g), alpha, log_sum);
  shared(s.channels, [&](const Group& group, std::int64_t begin, std::int64_t end) {
    contexts(s, in, group, begin, end, alpha, context);
  });
}

}  // namespace
}  // namespace attention

template <class T>
void attention_forward(Cpu, const AttentionShape& shape, const AttentionInputs<T>& inputs, Accumulator<T>* alpha,
                       T* context, Accumulator<T>* log_sum) {
  attention::with_activation(inputs.activation, [&]<class Function>(Function) {
    attention::forward<Function>(shape, inputs, alpha, context, log_sum);
  });
}

GLIMPSE_ATTENTION_FORWARD_KERNELS(Cpu, float)
GLIMPSE_ATTENTION_FORWARD_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
