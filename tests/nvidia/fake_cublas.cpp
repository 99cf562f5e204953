// A libcublas that computes products on the host by the definition, so that how Glimpse calls cuBLAS is proven where
// there is no GPU: it stops at strides shorter than a column, at a type of sums that does not go with the data, and at
// handles without stream or mode. The prototypes are those of cublas_v2.h, whose matrices lie column by column.
#include <cublas_v2.h>

#include <bit>
#include <cstdint>

#include "fake_library.h"

struct cublasContext {
  bool has_stream = false;
  int math = -1;
};

namespace {

double bf16_at(const void* values, std::int64_t i) {
  const std::uint16_t bits = static_cast<const std::uint16_t*>(values)[i];
  return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
}

double value_at(const void* values, cudaDataType type, std::int64_t i) {
  if (type == CUDA_R_64F) return static_cast<const double*>(values)[i];
  if (type == CUDA_R_16BF) return bf16_at(values, i);
  return static_cast<double>(static_cast<const float*>(values)[i]);
}

void put(void* values, cudaDataType type, std::int64_t i, double x) {
  if (type == CUDA_R_64F) {
    static_cast<double*>(values)[i] = x;
  } else if (type == CUDA_R_16BF) {
    const auto u = std::bit_cast<std::uint32_t>(static_cast<float>(x));
    static_cast<std::uint16_t*>(values)[i] = static_cast<std::uint16_t>((u + 0x7fff + (u >> 16 & 1)) >> 16);
  } else {
    static_cast<float*>(values)[i] = static_cast<float>(x);
  }
}

/// A factor as the tensor cores take it.
double rounded(double x, cublasComputeType_t compute) {
  const int lost = compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? 13 : compute == CUBLAS_COMPUTE_32F_FAST_16BF ? 16 : 0;
  if (lost == 0) return x;
  const auto u = std::bit_cast<std::uint32_t>(static_cast<float>(x));
  const std::uint32_t mask = (1u << lost) - 1;
  return static_cast<double>(std::bit_cast<float>((u + mask / 2 + 1) & ~mask));
}

bool goes_with(cublasComputeType_t compute, cudaDataType type) {
  if (type == CUDA_R_64F) return compute == CUBLAS_COMPUTE_64F;
  if (type == CUDA_R_16BF) return compute == CUBLAS_COMPUTE_32F;
  return compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_FAST_TF32 ||
         compute == CUBLAS_COMPUTE_32F_FAST_16BF;
}

}  // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) { return *handle = new cublasContext, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t) {
  return handle->has_stream = true, CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  return handle->math = mode, CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusString(cublasStatus_t) { return "FAKE_STATUS"; }

cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b,
                               std::int64_t m, std::int64_t n, std::int64_t k, const void* alpha, const void* a,
                               cudaDataType a_type, std::int64_t lda, const void* b, cudaDataType b_type,
                               std::int64_t ldb, const void* beta, void* c, cudaDataType c_type, std::int64_t ldc,
                               cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
  REQUIRE(handle->has_stream && handle->math == CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
  REQUIRE(a_type == b_type && a_type == c_type && goes_with(compute, a_type) && algorithm == CUBLAS_GEMM_DEFAULT);
  const auto least = [](std::int64_t rows) { return rows > 1 ? rows : 1; };
  REQUIRE(m > 0 && n > 0 && k >= 0 && ldc >= m);
  REQUIRE(lda >= least(transpose_a == CUBLAS_OP_N ? m : k) && ldb >= least(transpose_b == CUBLAS_OP_N ? k : n));
  if (m == 13) return CUBLAS_STATUS_EXECUTION_FAILED;  // some size that fails
  const cudaDataType scalar = c_type == CUDA_R_64F ? CUDA_R_64F : CUDA_R_32F;
  const double by = value_at(alpha, scalar, 0), old = value_at(beta, scalar, 0);
  a = real(a);
  b = real(b);
  c = real(c);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t l = 0; l < k; ++l)
        sum += rounded(value_at(a, a_type, transpose_a == CUBLAS_OP_N ? i + l * lda : l + i * lda), compute) *
               rounded(value_at(b, b_type, transpose_b == CUBLAS_OP_N ? l + j * ldb : j + l * ldb), compute);
      sum *= by;
      if (old != 0) sum += old * value_at(c, c_type, i + j * ldc);
      put(c, c_type, i + j * ldc, sum);
    }
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
