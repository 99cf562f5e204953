#include "glimpse/kernels/lstm.h"

#include <algorithm>

#include "glimpse/kernels/base/math.h"
#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

constexpr std::int64_t grain(std::int64_t hidden) { return 1 + 4096 / (hidden + 1); }

// A loop that asks at each element which addends there are would be masked loads throughout.
template <class T>
void add_present(std::int64_t n, const T* a, const T* b, T* sum) {
  if (a && b) {
#pragma omp simd
    for (std::int64_t j = 0; j < n; ++j) sum[j] = a[j] + b[j];
  } else if (a || b) {
    std::copy_n(a ? a : b, n, sum);
  } else {
    std::fill_n(sum, n, T(0));
  }
}

}  // namespace

template <class T>
void lstm_forward(Cpu, const LstmForward<T>& call) {
  vector_for(call.batch, grain(call.hidden), [=](std::int64_t begin, std::int64_t end) {
    const std::int64_t hidden = call.hidden;
    for (std::int64_t b = begin; b < end; ++b) {
      const T* x = call.gates + b * 4 * hidden;
      T* a = call.activated + b * 4 * hidden;
      if (call.more) {
        const T* more = call.more + b * call.more_stride;
#pragma omp simd
        for (std::int64_t j = 0; j < 4 * hidden; ++j) a[j] = x[j] + more[j];
        x = a;
      }
      const auto activate = [&](std::int64_t gate, auto f) {
        const std::int64_t first = gate * hidden;
#pragma omp simd
        for (std::int64_t j = first; j < first + hidden; ++j) a[j] = f(x[j]);
      };
      activate(0, [](T v) { return kernels::sigmoid(v); });
      activate(1, [](T v) { return kernels::sigmoid(v); });
      activate(2, [](T v) { return kernels::tanh(v); });
      activate(3, [](T v) { return kernels::sigmoid(v); });
      const T *i = a, *f = a + hidden, *g = a + 2 * hidden, *o = a + 3 * hidden;
      const T* cb = call.c + b * hidden;
      T *cn = call.c_next + b * hidden, *hn = call.h_next + b * hidden;
#pragma omp simd
      for (std::int64_t j = 0; j < hidden; ++j) {
        const T cell = f[j] * cb[j] + i[j] * g[j];
        cn[j] = cell;
        hn[j] = o[j] * kernels::tanh(cell);
      }
    }
  });
}

template <class T>
void lstm_backward(Cpu, const LstmBackward<T>& call) {
  vector_for(call.batch, grain(call.hidden), [=](std::int64_t begin, std::int64_t end) {
    const std::int64_t hidden = call.hidden;
    const std::int64_t stride = call.dgates_stride > 0 ? call.dgates_stride : 4 * hidden;
    const LstmGradients<T>& gradients = call.received;
    for (std::int64_t b = begin; b < end; ++b) {
      const T* i = call.activated + b * 4 * hidden;
      const T *f = i + hidden, *g = i + 2 * hidden, *o = i + 3 * hidden;
      const T *cb = call.c + b * hidden, *cn = call.c_next + b * hidden;
      const bool later = b < gradients.later_rows;
      const T* dh = gradients.dh ? gradients.dh + b * hidden : nullptr;
      const T* dh_later = later && gradients.dh_later ? gradients.dh_later + b * hidden : nullptr;
      const T* dcn = later && gradients.dc_next ? gradients.dc_next + b * hidden : nullptr;
      const T* dc = gradients.dc ? gradients.dc + b * hidden : nullptr;
      T* di = call.dgates + b * stride;
      T *df = di + hidden, *dg = di + 2 * hidden, *d_o = di + 3 * hidden;
      T* dcb = call.dc + b * hidden;
      add_present(hidden, dh, dh_later, d_o);
      add_present(hidden, dcn, dc, dcb);
#pragma omp simd
      for (std::int64_t j = 0; j < hidden; ++j) {
        const T dhj = d_o[j];
        const T t = kernels::tanh(cn[j]);
        const T dcell = dcb[j] + dhj * o[j] * (T(1) - t * t);
        di[j] = dcell * g[j] * i[j] * (T(1) - i[j]);
        df[j] = dcell * cb[j] * f[j] * (T(1) - f[j]);
        dg[j] = dcell * i[j] * (T(1) - g[j] * g[j]);
        d_o[j] = dhj * t * o[j] * (T(1) - o[j]);
        dcb[j] = dcell * f[j];
      }
    }
  });
}

GLIMPSE_LSTM_KERNELS(Cpu, float)
GLIMPSE_LSTM_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
