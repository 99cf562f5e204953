#include "glimpse/kernels/batch_norm.h"

#include <cmath>

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

/// Calls body(channel) for all channels, on all cores where there is enough to do.
template <class Body>
void for_channels(const BatchNormShape& s, Body&& body) {
  const std::int64_t grain = 1 + 16384 / (s.n * s.area + 1);
  vector_for(s.c, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) body(c);
  });
}

/// First element of channel c of image i.
std::int64_t plane(const BatchNormShape& s, std::int64_t i, std::int64_t c) { return (i * s.c + c) * s.area; }

/// dbias = sum dy; the result, dweight, = sum dy (x - mean) scale.
template <class T>
double weight_gradients(const BatchNormShape& s, std::int64_t c, const BatchNormInputs<T>& in, double scale,
                        const T* dy, double& dbias) {
  const double mean = static_cast<double>(in.mean[c]);
  double sum = 0, product = 0;
  for (std::int64_t i = 0; i < s.n; ++i) {
    const T *xs = in.x + plane(s, i, c), *dys = dy + plane(s, i, c);
#pragma omp simd reduction(+ : sum, product)
    for (std::int64_t p = 0; p < s.area; ++p) {
      sum += static_cast<double>(dys[p]);
      product += static_cast<double>(dys[p]) * (static_cast<double>(xs[p]) - mean);
    }
  }
  dbias = sum;
  return product * scale;
}

}  // namespace

template <class T>
void batch_norm_statistics(Cpu, const BatchNormShape& s, const T* x, T* mean, T* variance) {
  const double count = static_cast<double>(s.n * s.area);
  for_channels(s, [&](std::int64_t c) {
    double sum = 0;
    for (std::int64_t i = 0; i < s.n; ++i) {
      const T* xs = x + plane(s, i, c);
#pragma omp simd reduction(+ : sum)
      for (std::int64_t p = 0; p < s.area; ++p) sum += static_cast<double>(xs[p]);
    }
    const double m = sum / count;
    double squares = 0;  // about the mean: sum of squares less squared mean would cancel
    for (std::int64_t i = 0; i < s.n; ++i) {
      const T* xs = x + plane(s, i, c);
#pragma omp simd reduction(+ : squares)
      for (std::int64_t p = 0; p < s.area; ++p)
        squares += (static_cast<double>(xs[p]) - m) * (static_cast<double>(xs[p]) - m);
    }
    mean[c] = static_cast<T>(m);
    variance[c] = static_cast<T>(squares / count);
  });
}

template <class T>
void batch_norm_track(Cpu, const BatchNormShape& s, double momentum, const T* mean, const T* variance, T* running_mean,
                      T* running_variance) {
  const double count = static_cast<double>(s.n * s.area);
  const double unbiased = count / (count - 1);
  for (std::int64_t c = 0; c < s.c; ++c) {
    running_mean[c] =
        static_cast<T>((1 - momentum) * static_cast<double>(running_mean[c]) + momentum * static_cast<double>(mean[c]));
    running_variance[c] = static_cast<T>((1 - momentum) * static_cast<double>(running_variance[c]) +
                                         momentum * unbiased * static_cast<double>(variance[c]));
  }
}

template <class T>
void batch_norm_apply(Cpu, const BatchNormShape& s, const BatchNormInputs<T>& in, const T* bias, T* y) {
  for_channels(s, [&](std::int64_t c) {
    const T scale =
        static_cast<T>(static_cast<double>(in.weight[c]) / std::sqrt(static_cast<double>(in.variance[c]) + in.eps));
    const T center = in.mean[c], shift = bias[c];
    for (std::int64_t i = 0; i < s.n; ++i) {
      const T* xs = in.x + plane(s, i, c);
      T* ys = y + plane(s, i, c);
#pragma omp simd
      for (std::int64_t p = 0; p < s.area; ++p) ys[p] = (xs[p] - center) * scale + shift;
    }
  });
}

template <class T>
void batch_norm_backward(Cpu, const BatchNormShape& s, const BatchNormInputs<T>& in, const T* dy,
                         const BatchNormGradients<T>& result) {
  const double count = static_cast<double>(s.n * s.area);
  for_channels(s, [&](std::int64_t c) {
    const double scale = 1 / std::sqrt(static_cast<double>(in.variance[c]) + in.eps);
    double shift_gradient = 0;
    const double weight_gradient = weight_gradients(s, c, in, scale, dy, shift_gradient);
    result.dweight[c] = static_cast<T>(weight_gradient);
    result.dbias[c] = static_cast<T>(shift_gradient);
    if (!result.dx) return;
    const T center = in.mean[c], factor = static_cast<T>(scale * static_cast<double>(in.weight[c]));
    const T offset = static_cast<T>(shift_gradient / count), slope = static_cast<T>(weight_gradient * scale / count);
    for (std::int64_t i = 0; i < s.n; ++i) {
      const T *xs = in.x + plane(s, i, c), *dys = dy + plane(s, i, c);
      T* dxs = result.dx + plane(s, i, c);
#pragma omp simd
      for (std::int64_t p = 0; p < s.area; ++p) dxs[p] = factor * (dys[p] - offset - (xs[p] - center) * slope);
    }
  });
}

template <class T>
void batch_norm_backward_frozen(Cpu, const BatchNormShape& s, const BatchNormInputs<T>& in, const T* dy,
                                const BatchNormGradients<T>& result) {
  for_channels(s, [&](std::int64_t c) {
    const double scale = 1 / std::sqrt(static_cast<double>(in.variance[c]) + in.eps);
    if (result.dweight) {
      double shift_gradient = 0;
      result.dweight[c] = static_cast<T>(weight_gradients(s, c, in, scale, dy, shift_gradient));
      result.dbias[c] = static_cast<T>(shift_gradient);
    }
    if (!result.dx) return;
    const T factor = static_cast<T>(scale * static_cast<double>(in.weight[c]));
    for (std::int64_t i = 0; i < s.n; ++i) {
      const T* dys = dy + plane(s, i, c);
      T* dxs = result.dx + plane(s, i, c);
#pragma omp simd
      for (std::int64_t p = 0; p < s.area; ++p) dxs[p] = factor * dys[p];
    }
  });
}

GLIMPSE_BATCH_NORM_KERNELS(Cpu, float)
GLIMPSE_BATCH_NORM_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
