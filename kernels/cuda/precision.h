#pragma once
// How exactly matrix products and convolutions of f32 numbers are computed on a GPU.

#include <array>
#include <atomic>

#include "glimpse/kernels/base/choice.h"

namespace glimpse::cuda {

/// Sums are in f32 always; what differs is how the factors are rounded for the tensor cores.
enum class MatmulPrecision {
  f32,   ///< not at all
  tf32,  ///< to 10 bits of mantissa
  bf16   ///< to 7 bits of mantissa; convolutions, for which cuDNN offers no such thing, as with tf32
};
constexpr auto choices(MatmulPrecision) {
  return std::array{Choice{MatmulPrecision::f32, "f32"}, Choice{MatmulPrecision::tf32, "tf32"},
                    Choice{MatmulPrecision::bf16, "bf16"}};
}

namespace detail {
inline std::atomic<MatmulPrecision> matmul_precision{MatmulPrecision::f32};
}

/// What cuBLAS and cuDNN are asked for. f32 unless set otherwise.
inline MatmulPrecision matmul_precision() { return detail::matmul_precision; }
/// Holds for all threads and everything that is started from now on. A captured graph keeps what it was captured with.
inline void set_matmul_precision(MatmulPrecision precision) { detail::matmul_precision = precision; }

}  // namespace glimpse::cuda
