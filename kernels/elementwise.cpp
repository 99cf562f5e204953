#include "glimpse/kernels/elementwise.h"

#include <algorithm>

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

constexpr std::int64_t grain = 1 << 14;

template <int AStep, int BStep, class F, class T>
void zip_row(F f, std::int64_t n, const T* a, const T* b, T* y) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] = f.apply(a[i * AStep], b[i * BStep]);
}

/// The steps within a row are 1, or 0 for one element that the whole row reads.
template <class F, class T>
void zip_row(F f, std::int64_t n, bool a_steps, bool b_steps, const T* a, const T* b, T* y) {
  if (a_steps)
    b_steps ? zip_row<1, 1>(f, n, a, b, y) : zip_row<1, 0>(f, n, a, b, y);
  else
    b_steps ? zip_row<0, 1>(f, n, a, b, y) : zip_row<0, 0>(f, n, a, b, y);
}

}  // namespace

template <class F, class T>
void map(Cpu, F f, std::int64_t n, const T* x, T* y) {
  vector_for(n, grain, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) y[i] = f.apply(x[i]);
  });
}

template <class F, class T>
void map_gradient(Cpu, F f, std::int64_t n, const T* saved, const T* dy, T* dx) {
  vector_for(n, grain, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) dx[i] = f.gradient(saved[i], dy[i]);
  });
}

template <class F, class T>
void zip(Cpu, F f, const Broadcast& shape, const T* a, const T* b, T* y) {
  const int last = shape.rank - 1;
  const std::int64_t inner = shape.sizes[last];
  std::int64_t outer = 1;
  for (int d = 0; d < last; ++d) outer *= shape.sizes[d];
  const std::int64_t a_step = shape.a_strides[last], b_step = shape.b_strides[last];
  vector_for(outer * inner, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end;) {
      std::int64_t rest = i / inner;
      const std::int64_t column = i % inner;
      std::int64_t a_offset = column * a_step, b_offset = column * b_step;
      for (int d = last - 1; d >= 0; --d) {
        const std::int64_t index = rest % shape.sizes[d];
        rest /= shape.sizes[d];
        a_offset += index * shape.a_strides[d];
        b_offset += index * shape.b_strides[d];
      }
      const std::int64_t n = std::min(inner - column, end - i);
      zip_row(f, n, a_step != 0, b_step != 0, a + a_offset, b + b_offset, y + i);
      i += n;
    }
  });
}

GLIMPSE_ELEMENTWISE_KERNELS(Cpu, float)
GLIMPSE_ELEMENTWISE_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
