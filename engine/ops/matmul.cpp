#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/engine/ops/broadcast.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/gemm.h"

namespace glimpse {
namespace {

/// c = op(a) op(b) + beta c, all of rank 2.
void multiply_into(const Tensor& c, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, double beta) {
  on(c, [&]<class T>(auto device) {
    kernels::gemm<T>(device, c.size(0), c.size(1), a.size(transpose_a ? 0 : 1), T(1),
                     {a.data<T>(), a.size(1), transpose_a}, {b.data<T>(), b.size(1), transpose_b}, static_cast<T>(beta),
                     c.data<T>(), c.size(1));
  });
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  require_same_kind("matmul", a, b);
  require_rank("matmul", "a", a, 2, "a matrix");
  require_rank("matmul", "b", b, 2, "a matrix");
  const std::int64_t m = a.size(transpose_a ? 1 : 0), k = a.size(transpose_a ? 0 : 1);
  const std::int64_t n = b.size(transpose_b ? 0 : 1), k_b = b.size(transpose_b ? 1 : 0);
  check(k == k_b, "matmul: {}{} does not multiply with {}{}: {} != {}", a.shape(), transpose_a ? " transposed" : "",
        b.shape(), transpose_b ? " transposed" : "", k, k_b);
  Tensor c({m, n}, a.dtype(), a.device());
  multiply_into(c, a, transpose_a, b, transpose_b, 0);
  return differentiable("matmul", c, {a, b},
                        [a = a.detach(), b = b.detach(), transpose_a, transpose_b, need_a = a.requires_grad(),
                         need_b = b.requires_grad()](const Tensor& dc) -> Gradients {
                          Tensor da, db;
                          if (need_a)
                            da = transpose_a ? matmul(b, dc, transpose_b, true) : matmul(dc, b, false, !transpose_b);
                          if (need_b)
                            db = transpose_b ? matmul(dc, a, true, transpose_a) : matmul(a, dc, !transpose_a, false);
                          return {da, db};
                        });
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  require_same_kind("linear", x, weight);
  require_rank("linear", "weight", weight, 2, "(O,I)");
  check(x.rank() > 0 && x.size(-1) == weight.size(1), "linear: x {} does not match weight {}: the last size must be {}",
        x.shape(), weight.shape(), weight.size(1));
  const std::int64_t in = weight.size(1), out = weight.size(0);
  if (bias.defined()) {
    require_same_kind("linear", weight, bias);
    check(bias.shape() == Shape{out}, "linear: bias {} does not match weight {}: ({}) is needed", bias.shape(),
          weight.shape(), out);
  }
  const std::int64_t count = x.shape().without(-1).numel();
  const Tensor rows = x.detach().reshape(Shape{count, in});
  const Shape y_rows{count, out};
  const Tensor y = bias.defined() ? broadcast_to(bias.detach(), y_rows) : Tensor(y_rows, x.dtype(), x.device());
  multiply_into(y, rows, false, weight, true, bias.defined() ? 1 : 0);
  const auto backward = [rows, weight = weight.detach(), x_shape = x.shape(), need_x = x.requires_grad(),
                         need_weight = weight.requires_grad(),
                         need_bias = bias.requires_grad()](const Tensor& dy) -> Gradients {
    const Tensor dy_rows = dy.reshape(Shape{rows.size(0), weight.size(0)});
    return {need_x ? matmul(dy_rows, weight).reshape(x_shape) : Tensor(),
            need_weight ? matmul(dy_rows, rows, true, false) : Tensor(), need_bias ? sum(dy_rows, 0) : Tensor()};
  };
  return differentiable("linear", y.reshape(x.shape().with(-1, out)), {x, weight, bias}, backward);
}

Tensor transpose(const Tensor& x) {
  require_rank("transpose", "x", x, 2, "a matrix");
  return permute(x, {1, 0});
}

}  // namespace glimpse
