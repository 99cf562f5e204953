#include "glimpse/kernels/attention/attention.h"

#include <algorithm>

#include "glimpse/kernels/attention/internal/parts.h"
#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/internal/dot.h"

namespace glimpse::kernels {
namespace attention {
namespace {

/// descore = alpha (dalpha - sum alpha dalpha + dlog_sum), the softmax's backward and that of the logarithm of its sum,
/// in place on dalpha.
template <class T>
void softmax_backward_in_place(std::int64_t n, const T* alpha, T dlog_sum, T* dalpha) {
  double sum = -static_cast<double>(dlog_sum);
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
void backward(const AttentionShape& s, const AttentionInputs<T>& in, const AttentionBackward<T>& call) {
  const T *alpha = call.alpha, *dcontext = call.dcontext, *dalpha = call.dalpha;
  T *descore = call.descore, *dquery = call.dquery;
  const std::int64_t dquery_stride = call.dquery_stride;
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
      softmax_backward_in_place(s.locations, alpha + row * s.locations, call.dlog_sum ? call.dlog_sum[row] : T(0),
                                descore + row * s.locations);
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
  vector_for(s.groups, grain(s), [&](std::int64_t begin, std::int64_t end) {
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
  vector_for(s.groups, grain(s), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) run(Group(s, g));
  });
}

}  // namespace
}  // namespace attention

template <class T>
void attention_backward(Cpu, const AttentionShape& shape, const AttentionInputs<T>& inputs,
                        const AttentionBackward<T>& call) {
  attention::with_activation(inputs.activation,
                             [&]<class Function>(Function) { attention::backward<Function>(shape, inputs, call); });
}

template <class T>
void attention_backward_keys(Cpu, const AttentionShape& shape, const AttentionInputs<T>& inputs,
                             const Accumulator<T>* descore, T* dkeys, Accumulator<T>* dscore, T* partial) {
  attention::with_activation(inputs.activation, [&]<class Function>(Function) {
    attention::backward_keys<Function>(shape, inputs, descore, dkeys, partial);
  });
  for (std::int64_t a = 0; a < shape.width; ++a) {
    double sum = 0;
    for (std::int64_t g = 0; g < shape.groups; ++g) sum += static_cast<double>(partial[g * shape.width + a]);
    dscore[a] = static_cast<T>(sum);
  }
}

template <class T>
void attention_backward_features(Cpu, const AttentionShape& s, const Accumulator<T>* alpha, const T* dcontext,
                                 T* dfeatures) {
  vector_for(s.groups, attention::grain(s), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) {
      const attention::Group group(s, g);
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

GLIMPSE_ATTENTION_BACKWARD_KERNELS(Cpu, float)
GLIMPSE_ATTENTION_BACKWARD_KERNELS(Cpu, double)
GLIMPSE_ATTENTION_GRADIENT_KERNELS(Cpu, float)
GLIMPSE_ATTENTION_GRADIENT_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
