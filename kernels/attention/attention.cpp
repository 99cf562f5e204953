#include "glimpse/kernels/attention/attention.h"

#include <algorithm>
#include <limits>

#include "glimpse/kernels/base/math.h"
#include "glimpse/kernels/base/parallel.h"

namespace glimpse::kernels {
namespace {

/// The activation of the scores, and its slope from argument and value.
struct Tanh {
  template <class T>
  static T value(T x) {
    return kernels::tanh(x);
  }
  template <class T>
  static T slope(T, T y) {
    return T(1) - y * y;
  }
};
struct Relu {
  template <class T>
  static T value(T x) {
    return x > T(0) ? x : T(0);
  }
  template <class T>
  static T slope(T x, T) {
    return x > T(0) ? T(1) : T(0);
  }
};

/// A group's image and the rows of its queries.
struct Group {
  std::int64_t image, first, count;
  const std::int64_t* rows;
  Group(const AttentionShape& s, std::int64_t g)
      : image(s.image ? s.image[g] : g),
        first(s.first ? s.first[g] : g),
        count(s.first ? s.first[g + 1] - s.first[g] : 1),
        rows(s.row) {}
  std::int64_t row(std::int64_t j) const { return rows ? rows[first + j] : first + j; }
};

/// Groups that are worth a thread.
std::int64_t grain(const AttentionShape& s) { return 1 + 16384 / (s.locations * (s.width + s.channels) + 1); }

template <class T>
T dot(std::int64_t n, const T* x, const T* y) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

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

/// 0 everywhere for scores that are all -infinity.
template <class T>
void softmax_in_place(std::int64_t n, T* x) {
  T top = std::numeric_limits<T>::lowest();
  for (std::int64_t i = 0; i < n; ++i) top = x[i] > top ? x[i] : top;
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) x[i] = kernels::exp(x[i] - top);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  const T scale = static_cast<T>(sum == 0 ? 0 : 1 / sum);
  for (std::int64_t i = 0; i < n; ++i) x[i] *= scale;
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
void forward(const AttentionShape& s, const AttentionInputs<T>& in, T* alpha, T* context) {
  const std::int64_t parts = s.groups == 0 || grain(s) > 1 ? 1 : (threads() + s.groups - 1) / s.groups;
  if (parts == 1) {
    parallel_for(s.groups, grain(s), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t g = begin; g < end; ++g) {
        const Group group(s, g);
        scores<Function>(s, in, group, 0, s.locations, alpha);
        for (std::int64_t j = 0; j < group.count; ++j)
          softmax_in_place(s.locations, alpha + group.row(j) * s.locations);
        contexts(s, in, group, 0, s.channels, alpha, context);
      }
    });
    return;
  }
  // Fewer images than threads: these share the locations of an image, then its channels. No sum is cut, so the result
  // is the same.
  const auto shared = [&](std::int64_t size, auto work) {
    parallel_for(s.groups * parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        work(Group(s, i / parts), size * (i % parts) / parts, size * (i % parts + 1) / parts);
    });
  };
  shared(s.locations, [&](const Group& group, std::int64_t begin, std::int64_t end) {
    scores<Function>(s, in, group, begin, end, alpha);
  });
  for (std::int64_t g = 0; g < s.groups; ++g) {
    const Group group(s, g);
    for (std::int64_t j = 0; j < group.count; ++j) softmax_in_place(s.locations, alpha + group.row(j) * s.locations);
  }
  shared(s.channels, [&](const Group& group, std::int64_t begin, std::int64_t end) {
    contexts(s, in, group, begin, end, alpha, context);
  });
}

/// descore = alpha (dalpha - sum alpha dalpha), the softmax's backward, in place on dalpha.
template <class T>
void softmax_backward_in_place(std::int64_t n, const T* alpha, T* dalpha) {
  double sum = 0;
  for (std::int64_t l = 0; l < n; ++l) sum += static_cast<double>(alpha[l]) * static_cast<double>(dalpha[l]);
  const T mean = static_cast<T>(sum);
  for (std::int64_t l = 0; l < n; ++l) dalpha[l] = alpha[l] * (dalpha[l] - mean);
}

/// dquery of one query, without the factor score: adds descore_l f'(key_l + query) for two locations.
template <class Function, class T>
void add_slopes(std::int64_t width, const T* key0, const T* key1, const T* query, T d0, T d1, T* dquery) {
#pragma omp simd
  for (std::int64_t a = 0; a < width; ++a) {
    const T x0 = key0[a] + query[a], x1 = key1[a] + query[a];
    dquery[a] += d0 * Function::slope(x0, Function::value(x0)) + d1 * Function::slope(x1, Function::value(x1));
  }
}

template <class Function, class T>
void backward(const AttentionShape& s, const AttentionInputs<T>& in, const T* alpha, const T* dcontext, const T* dalpha,
              T* descore, T* dquery, std::int64_t dquery_stride) {
  const auto run = [&](const Group& group) {
    const T* features = in.features + group.image * s.locations * s.channels;
    const T* keys = in.keys + group.image * s.locations * s.width;
    for (std::int64_t l = 0; l < s.locations; ++l)
      for (std::int64_t j = 0; j < group.count; ++j) {
        const std::int64_t row = group.row(j), at = row * s.locations + l;
        descore[at] =
            (dalpha ? dalpha[at] : T(0)) + dot(s.channels, features + l * s.channels, dcontext + row * s.channels);
      }
    for (std::int64_t j = 0; j < group.count; ++j) {
      const std::int64_t row = group.row(j);
      softmax_backward_in_place(s.locations, alpha + row * s.locations, descore + row * s.locations);
      std::fill_n(dquery + row * dquery_stride, s.width, T(0));
    }
    for (std::int64_t l = 0; l < s.locations; l += 2)
      for (std::int64_t j = 0; j < group.count; ++j) {
        const std::int64_t row = group.row(j), next = std::min(l + 1, s.locations - 1);
        const T* d = descore + row * s.locations;
        add_slopes<Function>(s.width, keys + l * s.width, keys + next * s.width, in.query + row * in.query_stride, d[l],
                             next > l ? d[next] : T(0), dquery + row * dquery_stride);
      }
    for (std::int64_t j = 0; j < group.count; ++j) {
      T* dq = dquery + group.row(j) * dquery_stride;
#pragma omp simd
      for (std::int64_t a = 0; a < s.width; ++a) dq[a] *= in.score[a];
    }
  };
  parallel_for(s.groups, grain(s), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) run(Group(s, g));
  });
}

template <class Function, class T>
void backward_keys(const AttentionShape& s, const AttentionInputs<T>& in, const T* descore, T* dkeys, T* partial) {
  const auto run = [&](const Group& group) {
    T* sum = partial + group.image * s.width;  // of descore f(key + query), the gradient of the score vector
    std::fill_n(sum, s.width, T(0));
    for (std::int64_t l = 0; l < s.locations; ++l) {
      const T* key = in.keys + (group.image * s.locations + l) * s.width;
      T* dkey = dkeys + (group.image * s.locations + l) * s.width;
      std::fill_n(dkey, s.width, T(0));
      for (std::int64_t j = 0; j < group.count; ++j) {
        const std::int64_t row = group.row(j);
        const T* query = in.query + row * in.query_stride;
        const T d = descore[row * s.locations + l];
#pragma omp simd
        for (std::int64_t a = 0; a < s.width; ++a) {
          const T x = key[a] + query[a], y = Function::value(x);
          sum[a] += d * y;
          dkey[a] += d * Function::slope(x, y);
        }
      }
#pragma omp simd
      for (std::int64_t a = 0; a < s.width; ++a) dkey[a] *= in.score[a];
    }
  };
  parallel_for(s.groups, grain(s), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) run(Group(s, g));
  });
}

}  // namespace

template <class T>
void attention_forward(Cpu, const AttentionShape& shape, const AttentionInputs<T>& inputs, T* alpha, T* context) {
  if (inputs.function == ScoreFunction::tanh)
    forward<Tanh>(shape, inputs, alpha, context);
  else
    forward<Relu>(shape, inputs, alpha, context);
}

template <class T>
void attention_backward(Cpu, const AttentionShape& shape, const AttentionInputs<T>& inputs, const T* alpha,
                        const T* dcontext, const T* dalpha, T* descore, T* dquery, std::int64_t dquery_stride) {
  if (inputs.function == ScoreFunction::tanh)
    backward<Tanh>(shape, inputs, alpha, dcontext, dalpha, descore, dquery, dquery_stride);
  else
    backward<Relu>(shape, inputs, alpha, dcontext, dalpha, descore, dquery, dquery_stride);
}

template <class T>
void attention_backward_keys(Cpu, const AttentionShape& shape, const AttentionInputs<T>& inputs, const T* descore,
                             T* dkeys, T* dscore, T* partial) {
  if (inputs.function == ScoreFunction::tanh)
    backward_keys<Tanh>(shape, inputs, descore, dkeys, partial);
  else
    backward_keys<Relu>(shape, inputs, descore, dkeys, partial);
  for (std::int64_t a = 0; a < shape.width; ++a) {
    double sum = 0;
    for (std::int64_t g = 0; g < shape.groups; ++g) sum += static_cast<double>(partial[g * shape.width + a]);
    dscore[a] = static_cast<T>(sum);
  }
}

template <class T>
void attention_backward_features(Cpu, const AttentionShape& s, const T* alpha, const T* dcontext, T* dfeatures) {
  parallel_for(s.groups, grain(s), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) {
      const Group group(s, g);
      for (std::int64_t l = 0; l < s.locations; ++l) {
        T* dfeature = dfeatures + (group.image * s.locations + l) * s.channels;
        std::fill_n(dfeature, s.channels, T(0));
        for (std::int64_t j = 0; j < group.count; ++j) {
          const std::int64_t row = group.row(j);
          const T weight = alpha[row * s.locations + l];
          const T* dc = dcontext + row * s.channels;
#pragma omp simd
          for (std::int64_t d = 0; d < s.channels; ++d) dfeature[d] += weight * dc[d];
        }
      }
    }
  });
}

template <class T>
void gate_forward(Cpu, std::int64_t queries, std::int64_t channels, std::int64_t width, const T* bias, T* gate,
                  std::int64_t gate_stride, const T* context, T* gated) {
  parallel_for(queries, 1 + 8192 / (channels + 1), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t q = begin; q < end; ++q) {
      T* g = gate + q * gate_stride;
      const T* c = context + q * channels;
      T* z = gated + q * channels;
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) g[i] = kernels::sigmoid(g[i] + bias[i]);
      if (width == 1) {
        for (std::int64_t d = 0; d < channels; ++d) z[d] = g[0] * c[d];
      } else {
#pragma omp simd
        for (std::int64_t d = 0; d < channels; ++d) z[d] = g[d] * c[d];
      }
    }
  });
}

template <class T>
void gate_backward(Cpu, std::int64_t queries, std::int64_t channels, std::int64_t width, const T* gate,
                   std::int64_t gate_stride, const T* context, const T* dgated, T* dcontext, T* dgate,
                   std::int64_t dgate_stride) {
  parallel_for(queries, 1 + 8192 / (channels + 1), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t q = begin; q < end; ++q) {
      const T* g = gate + q * gate_stride;
      const T *c = context + q * channels, *dz = dgated + q * channels;
      T *dc = dcontext + q * channels, *dg = dgate + q * dgate_stride;
      if (width == 1) {
        dg[0] = dot(channels, dz, c) * g[0] * (T(1) - g[0]);
        for (std::int64_t d = 0; d < channels; ++d) dc[d] = g[0] * dz[d];
      } else {
#pragma omp simd
        for (std::int64_t d = 0; d < channels; ++d) {
          const T dzd = dz[d];
          dg[d] = dzd * c[d] * g[d] * (T(1) - g[d]);
          dc[d] = g[d] * dzd;
        }
      }
    }
  });
}

#define GLIMPSE_INSTANTIATE(T)                                                                                         \
  template void attention_forward(Cpu, const AttentionShape&, const AttentionInputs<T>&, T*, T*);                      \
  template void attention_backward(Cpu, const AttentionShape&, const AttentionInputs<T>&, const T*, const T*,          \
                                   const T*, T*, T*, std::int64_t);                                                    \
  template void attention_backward_keys(Cpu, const AttentionShape&, const AttentionInputs<T>&, const T*, T*, T*, T*);  \
  template void attention_backward_features(Cpu, const AttentionShape&, const T*, const T*, T*);                       \
  template void gate_forward(Cpu, std::int64_t, std::int64_t, std::int64_t, const T*, T*, std::int64_t, const T*, T*); \
  template void gate_backward(Cpu, std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, const T*,         \
                              const T*, T*, T*, std::int64_t);
GLIMPSE_INSTANTIATE(float)
GLIMPSE_INSTANTIATE(double)
#undef GLIMPSE_INSTANTIATE

}  // namespace glimpse::kernels
