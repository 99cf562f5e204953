// gemm on the device, by cuBLAS, which is loaded when the first product is asked for. cuBLAS stores matrices by
// columns: a row-major C = op(A) op(B) is its C^T = op(B)^T op(A)^T, read from the same memory.

#include <cublas_v2.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <type_traits>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/precision.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/kernels/nvidia/dynamic_library.h"

#define GLIMPSE_QUOTED(x) #x
#define GLIMPSE_TEXT(x) GLIMPSE_QUOTED(x)

namespace glimpse::kernels {
namespace {

/// The functions that are used, by the names that cublas_v2.h gives them.
struct Cublas {
  DynamicLibrary library{"libcublas.so." GLIMPSE_TEXT(CUBLAS_VER_MAJOR), "libcublas.so"};
  decltype(&cublasCreate_v2) create = library.symbol<decltype(create)>("cublasCreate_v2");
  decltype(&cublasSetStream_v2) set_stream = library.symbol<decltype(set_stream)>("cublasSetStream_v2");
  decltype(&cublasSetMathMode) set_math_mode = library.symbol<decltype(set_math_mode)>("cublasSetMathMode");
  decltype(&cublasGemmEx_64) gemm = library.symbol<decltype(gemm)>("cublasGemmEx_64");
  decltype(&cublasGetStatusString) status_string = library.symbol<decltype(status_string)>("cublasGetStatusString");
};

const Cublas& cublas() {
  static const Cublas* const loaded = new Cublas;
  return *loaded;
}

/// The handle of a stream. Its workspace belongs to that stream: with one handle a stream, results do not depend on
/// what else runs. Handles live as long as the process, since streams may outlive every static object.
cublasHandle_t handle_of(void* stream) {
  static std::mutex mutex;
  static auto& handles = *new std::map<void*, cublasHandle_t>;
  std::lock_guard lock(mutex);
  cublasHandle_t& handle = handles[stream];
  if (!handle) {
    cublasStatus_t status = cublas().create(&handle);
    if (status == CUBLAS_STATUS_SUCCESS) status = cublas().set_stream(handle, static_cast<cudaStream_t>(stream));
    // Parts of a long sum in bf16 are added in f32 too.
    if (status == CUBLAS_STATUS_SUCCESS)
      status = cublas().set_math_mode(
          handle, static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION));
    check(status == CUBLAS_STATUS_SUCCESS, "gemm: cuBLAS does not start: {}", cublas().status_string(status));
  }
  return handle;
}

template <class T>
cublasOperation_t operation(const Operand<T>& x) {
  return x.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
}

template <class T>
constexpr cudaDataType_t type_of = std::is_same_v<T, double> ? CUDA_R_64F
                                   : std::is_same_v<T, bf16> ? CUDA_R_16BF
                                                             : CUDA_R_32F;

template <class T>
cublasComputeType_t arithmetic() {
  if constexpr (std::is_same_v<T, double>) return CUBLAS_COMPUTE_64F;
  if constexpr (std::is_same_v<T, float>) {
    const kernels::MatmulPrecision precision = kernels::matmul_precision();
    if (precision == kernels::MatmulPrecision::tf32) return CUBLAS_COMPUTE_32F_FAST_TF32;
    if (precision == kernels::MatmulPrecision::bf16) return CUBLAS_COMPUTE_32F_FAST_16BF;
  }
  return CUBLAS_COMPUTE_32F;
}

}  // namespace

template <class T>
void gemm(Cuda device, std::int64_t m, std::int64_t n, std::int64_t k, Accumulator<T> alpha, Operand<T> a, Operand<T> b,
          Accumulator<T> beta, T* c, std::int64_t ldc) {
  if (m == 0 || n == 0) return;
  // With k = 0 there is nothing to read, but cuBLAS wants strides all the same.
  const std::int64_t lda = std::max<std::int64_t>(a.stride, 1), ldb = std::max<std::int64_t>(b.stride, 1);
  const cublasStatus_t status =
      cublas().gemm(handle_of(device.stream), operation(b), operation(a), n, m, k, &alpha, b.data, type_of<T>, ldb,
                    a.data, type_of<T>, lda, &beta, c, type_of<T>, ldc, arithmetic<T>(), CUBLAS_GEMM_DEFAULT);
  check(status == CUBLAS_STATUS_SUCCESS, "gemm: cuBLAS failed for m={} n={} k={}: {}", m, n, k,
        cublas().status_string(status));
}

GLIMPSE_GEMM_KERNELS(Cuda, float)
GLIMPSE_GEMM_KERNELS(Cuda, double)
GLIMPSE_GEMM_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
