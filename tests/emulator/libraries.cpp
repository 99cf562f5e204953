// What cuBLAS does on a device (kernels/nvidia/), done on the emulator's memory by the CPU's kernels.

#include <bit>
#include <type_traits>
#include <vector>

#include "glimpse/kernels/base/precision.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/tests/emulator/calls.h"
#include "glimpse/tests/emulator/device_memory.h"

namespace glimpse::kernels {
namespace {

/// A finite x with so many bits of mantissa less, to nearest.
float rounded(float x, int bits) {
  const std::uint32_t lost = (1u << bits) - 1;
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(x) + (lost + 1) / 2) & ~lost);
}

/// What the tensor cores make of a factor, in bf16 or TF32.
float as_factor(float x) { return rounded(x, kernels::matmul_precision() == kernels::MatmulPrecision::bf16 ? 16 : 13); }
float as_factor(bf16 x) { return static_cast<float>(x); }

/// Rows of `columns` elements, without gaps.
template <class T>
std::vector<float> factors(const Operand<T>& x, std::int64_t rows, std::int64_t columns) {
  std::vector<float> result;
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) result.push_back(as_factor(x.data[i * x.stride + j]));
  return result;
}

/// Operands of other types than the CPU multiplies, or to be rounded first.
template <class T>
void gemm_of_factors(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Operand<T> a, Operand<T> b,
                     float beta, T* c, std::int64_t ldc) {
  const std::int64_t a_columns = a.transposed ? m : k, b_columns = b.transposed ? k : n;
  const std::vector<float> wide_a = factors(a, a.transposed ? k : m, a_columns),
                           wide_b = factors(b, b.transposed ? n : k, b_columns);
  std::vector<float> product(static_cast<std::size_t>(m * n));
  gemm(Cpu{}, m, n, k, alpha, {wide_a.data(), a_columns, a.transposed}, {wide_b.data(), b_columns, b.transposed}, 0.0f,
       product.data(), n);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      T& to = c[i * ldc + j];
      const float sum = product[i * n + j];
      to = static_cast<T>(beta == 0 ? sum : sum + beta * static_cast<float>(to));
    }
}

}  // namespace

template <class T>
void gemm(Cuda, std::int64_t m, std::int64_t n, std::int64_t k, Accumulator<T> alpha, Operand<T> a, Operand<T> b,
          Accumulator<T> beta, T* c, std::int64_t ldc) {
  if (m == 0 || n == 0) return;
  emulator::count_call(&emulator::Calls::products);
  a.data = emulator::real(a.data);
  b.data = emulator::real(b.data);
  c = emulator::real(c);
  if constexpr (!std::is_same_v<T, double>)
    if (std::is_same_v<T, bf16> || kernels::matmul_precision() != kernels::MatmulPrecision::f32)
      return gemm_of_factors(m, n, k, alpha, a, b, beta, c, ldc);
  if constexpr (!std::is_same_v<T, bf16>) gemm(Cpu{}, m, n, k, alpha, a, b, beta, c, ldc);
}

GLIMPSE_GEMM_KERNELS(Cuda, float)
GLIMPSE_GEMM_KERNELS(Cuda, double)
GLIMPSE_GEMM_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
