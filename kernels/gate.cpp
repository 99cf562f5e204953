#include "glimpse/kernels/gate.h"

#include "glimpse/kernels/base/math.h"
#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/internal/dot.h"

namespace glimpse::kernels {
namespace {

std::int64_t grain(std::int64_t channels) { return 1 + 8192 / (channels + 1); }

}  // namespace

template <class T>
void gate_forward(Cpu, const GateForward<T>& call) {
  vector_for(call.queries, grain(call.channels), [=](std::int64_t begin, std::int64_t end) {
    const std::int64_t channels = call.channels, width = call.width;
    const T* bias = call.bias;
    for (std::int64_t q = begin; q < end; ++q) {
      T* g = call.gate + q * call.gate_stride;
      const T* c = call.context + q * channels;
      T* z = call.gated + q * channels;
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
void gate_backward(Cpu, const GateBackward<T>& call) {
  vector_for(call.queries, grain(call.channels), [=](std::int64_t begin, std::int64_t end) {
    const std::int64_t channels = call.channels;
    for (std::int64_t q = begin; q < end; ++q) {
      const T* g = call.gate + q * call.gate_stride;
      const T *c = call.context + q * channels, *dz = call.dgated + q * channels;
      T *dc = call.dcontext + q * channels, *dg = call.dgate + q * call.dgate_stride;
      if (call.width == 1) {
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

GLIMPSE_GATE_KERNELS(Cpu, float)
GLIMPSE_GATE_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
