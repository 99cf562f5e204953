#pragma once
// Products of f32 matrices on the CPU whose factors are rounded to bf16, as the processor's matrix unit takes them;
// sums are in f32. What matmul_precision() asks for on the CPU with MatmulPrecision::bf16.

#include <cstdint>

#include "glimpse/kernels/base/precision.h"
#include "glimpse/kernels/gemm.h"

namespace glimpse::kernels {

/// What multiplies bf16 factors.
enum class Bf16Unit : std::uint8_t {
  none,
  avx512,  ///< AVX512-BF16: pairs of factors in vectors
  amx      ///< AMX-BF16: tiles of 16 x 32 and 32 x 16 factors
};

/// The best that processor and system have; none where vectors are limited to fewer than 512 bits (vectors.h).
Bf16Unit bf16_unit();
/// Whether such products are taken to be quicker than f32's: with AMX, and with AVX512-BF16 on AMD's processors (on Zen
/// 5 training gained 5 to 36 %). On Intel's without AMX it was never measured.
bool bf16_is_quicker();
/// Whether gemm and packed_gemm of f32 matrices on the CPU round their factors now.
inline bool multiplies_in_bf16() {
  return matmul_precision() == MatmulPrecision::bf16 && bf16_unit() != Bf16Unit::none;
}
/// Makes bf16_unit() at most `unit`, for tests; not while a product runs.
void limit_bf16_unit(Bf16Unit unit);

/// As gemm(Cpu, ...) with factors rounded to bf16. Throws Error where bf16_unit() is none.
void bf16_gemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Operand<float> a, Operand<float> b,
               float beta, float* c, std::int64_t ldc);

/// As the functions of packed_gemm.h. Elements of float that a packed (k,n) matrix takes.
std::int64_t bf16_packed_size(std::int64_t k, std::int64_t n);
void bf16_pack(std::int64_t k, std::int64_t n, Operand<float> b, float* packed);
void bf16_packed_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* packed,
                      bool accumulate, float* c);

}  // namespace glimpse::kernels
