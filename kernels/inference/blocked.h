#pragma once
// One image whose channels lie in blocks, as oneDNN's quickest convolutions want them: (blocks,area,block), channel c
// at block c / block, lane c % block, the last block filled up with zeros. Serial: inference takes one image per
// thread.

#include <cstdint>

#include "glimpse/kernels/nonlinearity.h"
#include "glimpse/kernels/pooling.h"

namespace glimpse::kernels {

/// y = f(x scale + shift); scale, shift (blocks block); shift may be null.
void blocked_affine(std::int64_t block, std::int64_t blocks, std::int64_t area, const float* x, const float* scale,
                    const float* shift, Nonlinearity f, float* y);
/// y = f(a + b); n elements.
void blocked_add(std::int64_t n, const float* a, const float* b, Nonlinearity f, float* y);
/// y = f(x gate), gate (blocks,1,block).
void blocked_multiply(std::int64_t block, std::int64_t blocks, std::int64_t area, const float* x, const float* gate,
                      Nonlinearity f, float* y);
/// As layer_norm_forward; weight and bias (blocks block), zero beyond the channels.
void blocked_layer_norm(std::int64_t block, std::int64_t channels, std::int64_t area, double eps, const float* x,
                        const float* weight, const float* bias, float* y);
/// As max_pool_forward and avg_pool_forward; shape.planes is the number of blocks.
void blocked_max_pool(std::int64_t block, const PoolShape& shape, const float* x, float* y);
void blocked_avg_pool(std::int64_t block, const PoolShape& shape, const float* x, float* y);
/// As adaptive_avg_pool_forward; shape.planes is the number of blocks.
void blocked_adaptive_average(std::int64_t block, const AdaptivePoolShape& shape, const float* x, float* y);
/// y (area,channels) row-major.
void blocked_to_rows(std::int64_t block, std::int64_t channels, std::int64_t area, const float* x, float* y);

}  // namespace glimpse::kernels
