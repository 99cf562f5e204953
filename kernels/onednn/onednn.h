#pragma once
// What Glimpse asks of oneDNN, without its headers. Everything here works with oneDNN 2 and 3;
// in a build without it, onednn_built is false and nothing here may be called.

#include <cstdint>

#include "glimpse/kernels/convolution.h"
#include "glimpse/kernels/gemm.h"

namespace glimpse::kernels {

#ifdef GLIMPSE_HAVE_ONEDNN
inline constexpr bool onednn_built = true;
#else
inline constexpr bool onednn_built = false;
#endif

/// As gemm(Cpu, ...) in f32.
void onednn_sgemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Operand<float> a, Operand<float> b,
                  float beta, float* c, std::int64_t ldc);

/// As the functions of convolution.h in f32.
void onednn_convolution_forward(const ConvolutionShape& shape, const float* x, const float* weight, const float* bias,
                                float* y);
void onednn_convolution_backward_input(const ConvolutionShape& shape, const float* dy, const float* weight, float* dx);
void onednn_convolution_backward_weight(const ConvolutionShape& shape, const float* x, const float* dy, float* dweight);

}  // namespace glimpse::kernels
