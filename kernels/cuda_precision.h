#pragma once
// How exactly matrix products and convolutions in f32 are computed on a GPU.

#include <atomic>

namespace glimpse::cuda {

enum class MatmulPrecision {
  f32,  ///< products of f32 numbers, summed in f32
  tf32  ///< factors rounded to 10 bits of mantissa for the tensor cores, summed in f32
};

namespace detail {
inline std::atomic<MatmulPrecision> matmul_precision{MatmulPrecision::f32};
}

/// What cuBLAS and cuDNN are asked for. f32 unless set otherwise.
inline MatmulPrecision matmul_precision() { return detail::matmul_precision; }
/// Holds for all threads and everything that is started from now on. A captured graph keeps what it was captured with.
inline void set_matmul_precision(MatmulPrecision precision) { detail::matmul_precision = precision; }

}  // namespace glimpse::cuda
