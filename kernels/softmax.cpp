#include "glimpse/kernels/softmax.h"

#include <algorithm>
#include <cmath>

#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/internal/softmax_row.h"

namespace glimpse::kernels {
namespace {

/// Calls row(offset of the row) for all rows.
template <class Row>
void for_each_row(std::int64_t rows, std::int64_t n, Row row) {
  constexpr std::int64_t elements = 1 << 13;
  vector_for(rows, std::max<std::int64_t>(1, elements / std::max<std::int64_t>(n, 1)),
             [=](std::int64_t begin, std::int64_t end) {
               for (std::int64_t r = begin; r < end; ++r) row(r * n);
             });
}

template <class T>
void softmax_row(std::int64_t n, const T* x, T* y) {
  const T max = row_max(n, x);
  if (std::isinf(max) && max < T(0)) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = std::isnan(x[i]) ? x[i] : T(0);
    return;
  }
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    const T e = kernels::exp(x[i] - max);
    y[i] = e;
    sum += static_cast<double>(e);
  }
  const T scale = static_cast<T>(1 / sum);
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] *= scale;
}

}  // namespace

template <class T>
void softmax_forward(Cpu, std::int64_t rows, std::int64_t n, const T* x, T* y) {
  for_each_row(rows, n, [=](std::int64_t row) { softmax_row(n, x + row, y + row); });
}

template <class T>
void softmax_backward(Cpu, std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx) {
  for_each_row(rows, n, [=](std::int64_t row) {
    const T *ys = y + row, *dys = dy + row;
    T* dxs = dx + row;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(ys[i] * dys[i]);
    const T mean = static_cast<T>(sum);
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) dxs[i] = ys[i] * (dys[i] - mean);
  });
}

template <class T>
void log_softmax_forward(Cpu, std::int64_t rows, std::int64_t n, const T* x, T* y) {
  for_each_row(rows, n, [=](std::int64_t row) {
    const T max = row_max(n, x + row);
    if (std::isinf(max) && max < T(0)) {
      std::copy_n(x + row, n, y + row);
      return;
    }
    const T log_sum = static_cast<T>(std::log(row_sum_exp(n, x + row, max)));
#pragma omp simd
    for (std::int64_t i = row; i < row + n; ++i) y[i] = x[i] - max - log_sum;
  });
}

template <class T>
void log_softmax_backward(Cpu, std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx) {
  for_each_row(rows, n, [=](std::int64_t row) {
    const T *ys = y + row, *dys = dy + row;
    T* dxs = dx + row;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(dys[i]);
    const T total = static_cast<T>(sum);
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) dxs[i] = dys[i] - kernels::exp(ys[i]) * total;
  });
}

GLIMPSE_SOFTMAX_KERNELS(Cpu, float)
GLIMPSE_SOFTMAX_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
