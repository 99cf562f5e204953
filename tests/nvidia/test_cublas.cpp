// The tests of matrix products in tests/cuda/, through kernels/nvidia/ and the cuBLAS of fake_cublas.cpp.
#include "catch.h"
#include "cuda/cuda_test.h"
#include "glimpse/kernels/gemm.h"
#include "nvidia/real_address.h"

using namespace glimpse;

TEST_CASE("a product that cuBLAS refuses is an error with its sizes") {
  const test::DeviceArray<float> a(13), b(13), c(13 * 13);  // 13: what fake_cublas.cpp refuses
  CHECK_THROWS_WITH(kernels::gemm<float>(kernels::Cuda{}, 13, 13, 1, 1, {a.data(), 1}, {b.data(), 13}, 0, c.data(), 13),
                    "gemm: cuBLAS failed for m=13 n=13 k=1: FAKE_STATUS");
}
