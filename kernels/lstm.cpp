#include "glimpse/kernels/lstm.h"

#include "glimpse/kernels/base/math.h"
#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

constexpr std::int64_t grain(std::int64_t hidden) { return 1 + 4096 / (hidden + 1); }

}  // namespace

template <class T>
void lstm_forward(Cpu, const LstmForward<T>& call) {
  vector_for(call.batch, grain(call.hidden), [=](std::int64_t begin, std::int64_t end) {
    const std::int64_t hidden = call.hidden;
    for (std::int64_t b = begin; b < end; ++b) {
      const T* x = call.gates + b * 4 * hidden;
      T* a = call.activated + b * 4 * hidden;
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
      T* di = call.dgates + b * 4 * hidden;
      T *df = di + hidden, *dg = di + 2 * hidden, *d_o = di + 3 * hidden;
      T* dcb = call.dc + b * hidden;
#pragma omp simd
      for (std::int64_t j = 0; j < hidden; ++j) {
        const T dhj = (dh ? dh[j] : T(0)) + (dh_later ? dh_later[j] : T(0));
        const T t = kernels::tanh(cn[j]);
        const T dcell = (dcn ? dcn[j] : T(0)) + (dc ? dc[j] : T(0)) + dhj * o[j] * (T(1) - t * t);
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
