#include "glimpse/kernels/onednn/onednn.h"

#ifdef GLIMPSE_HAVE_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>

#include "glimpse/kernels/base/check.h"

namespace glimpse::kernels {

void onednn_sgemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Operand<float> a, Operand<float> b,
                  float beta, float* c, std::int64_t ldc) {
  const dnnl::status status = dnnl::sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, alpha, a.data,
                                          a.stride, b.data, b.stride, beta, c, ldc);
  check(status == dnnl::status::success, "gemm: oneDNN failed with status {} for m={} n={} k={}",
        static_cast<int>(status), m, n, k);
}

}  // namespace glimpse::kernels
#endif
