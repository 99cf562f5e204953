#include "glimpse/kernels/onednn/onednn.h"

#ifdef GLIMPSE_HAVE_ONEDNN
#include <algorithm>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/onednn/api.h"

namespace glimpse::kernels {
namespace {

using onednn::ceil_div;

/// How C is cut into blocks, one a thread.
struct Blocks {
  std::int64_t m, n;  // of a block
};

/// Blocks as square as they can be, since each reads its rows of A and its columns of B; multiples of the register
/// tiles of oneDNN's kernels.
Blocks blocks_of(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t least = 1 << 19;  // multiplications that are worth a thread
  const std::int64_t team = std::min<std::int64_t>(threads(), m * n / ceil_div(least, k));
  Blocks best{m, n};
  for (std::int64_t across = 1; across <= team; ++across) {
    const Blocks blocks{std::min(m, ceil_div(ceil_div(m, ceil_div(team, across)), 8) * 8),
                        std::min(n, ceil_div(ceil_div(n, across), 16) * 16)};
    if (blocks.m * blocks.n < best.m * best.n ||
        (blocks.m * blocks.n == best.m * best.n && blocks.m + blocks.n < best.m + best.n))
      best = blocks;
  }
  return best;
}

void multiply(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Operand<float> a, Operand<float> b,
              float beta, float* c, std::int64_t ldc) {
  const onednn::OneThread one_thread;
  const dnnl::status status = dnnl::sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, alpha, a.data,
                                          a.stride, b.data, b.stride, beta, c, ldc);
  check(status == dnnl::status::success, "gemm: oneDNN failed with status {} for m={} n={} k={}",
        static_cast<int>(status), m, n, k);
}

}  // namespace

void onednn_sgemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Operand<float> a, Operand<float> b,
                  float beta, float* c, std::int64_t ldc) {
  const Blocks block = blocks_of(m, n, k);
  const std::int64_t across = ceil_div(n, block.n);
  parallel_for_each(ceil_div(m, block.m) * across, [&](std::int64_t i) {
    const std::int64_t row = i / across * block.m, column = i % across * block.n;
    multiply(std::min(block.m, m - row), std::min(block.n, n - column), k, alpha,
             {a.data + row * (a.transposed ? 1 : a.stride), a.stride, a.transposed},
             {b.data + column * (b.transposed ? b.stride : 1), b.stride, b.transposed}, beta, c + row * ldc + column,
             ldc);
  });
}

}  // namespace glimpse::kernels
#endif
