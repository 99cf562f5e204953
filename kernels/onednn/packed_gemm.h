#pragma once
// oneDNN's side of packed_gemm.

#include <cstdint>

#include "glimpse/kernels/gemm.h"

namespace glimpse::kernels {

/// As the functions of packed_gemm.h, in f32. Not defined in a build without oneDNN (onednn_built is false).
std::int64_t onednn_packed_size(std::int64_t k, std::int64_t n);
void onednn_pack(std::int64_t k, std::int64_t n, Operand<float> b, float* packed);
void onednn_packed_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* packed,
                        bool accumulate, float* c);

}  // namespace glimpse::kernels
