#pragma once
// How exactly matrix products of f32 numbers are computed.

#include <array>
#include <atomic>

#include "glimpse/kernels/base/choice.h"

namespace glimpse::kernels {

/// Sums are in f32 always; what differs is how the factors are rounded for the matrix units of a GPU or a CPU.
enum class MatmulPrecision {
  f32,   ///< not at all
  tf32,  ///< to 10 bits of mantissa; on GPUs, convolutions too
  bf16   ///< to 7 bits of mantissa; convolutions as with tf32 on GPUs, for which cuDNN offers no such thing, and in f32
         ///< on the CPU
};
constexpr auto choices(MatmulPrecision) {
  return std::array{Choice{MatmulPrecision::f32, "f32"}, Choice{MatmulPrecision::tf32, "tf32"},
                    Choice{MatmulPrecision::bf16, "bf16"}};
}

namespace detail {
inline std::atomic<MatmulPrecision> matmul_precision{MatmulPrecision::f32};
}

/// f32 unless set otherwise.
inline MatmulPrecision matmul_precision() { return detail::matmul_precision; }
/// Holds for all threads and everything that is started from now on. A captured graph keeps what it was captured with; a
/// matrix that was packed (packed_gemm.h) must be multiplied by as it was packed.
inline void set_matmul_precision(MatmulPrecision precision) { detail::matmul_precision = precision; }

}  // namespace glimpse::kernels
