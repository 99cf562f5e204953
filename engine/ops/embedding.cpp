#include "glimpse/kernels/embedding.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/internal/rows_at.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// x (N,...) seen as N rows, index of any shape -> (index shape..., row shape...).
Tensor pick_rows(const char* name, const Tensor& x, const Tensor& index) {
  const std::int64_t rows = x.size(0), width = x.shape().without(0).numel(), n = index.numel();
  Shape shape = index.shape();
  for (int d = 1; d < x.rank(); ++d) shape.push_back(x.size(d));
  Tensor y(shape, x.dtype(), x.device(), name);
  on(x, [&]<class T>(auto device) {
    kernels::gather_rows(device, n, width, x.data<T>(), index.data<std::int32_t>(), y.data<T>());
  });
  return differentiable(name, y, {x}, [=, x_shape = x.shape(), index = index.detach()](const Tensor& dy) {
    Tensor dx(x_shape, dy.dtype(), dy.device());
    on(dy, [&]<class T>(auto device) {
      kernels::sum_rows_by_index(device, rows, n, width, dy.data<T>(), index.data<std::int32_t>(), dx.data<T>());
    });
    return dx;
  });
}

}  // namespace

Tensor embedding(const Tensor& table, const Tensor& words) {
  require_floating("embedding", "table", table);
  require_rank("embedding", "table", table, 2, "(V,E)");
  require_indices("embedding", "word", words, table.size(0));
  return pick_rows("embedding", table, words);
}

Tensor gather_rows(const Tensor& x, const Tensor& index) {
  require_floating("gather_rows", "x", x);
  check(x.rank() > 0, "gather_rows: a scalar has no rows");
  require_rank("gather_rows", "index", index, 1, "(M)");
  require_indices("gather_rows", "index", index, x.size(0));
  return rows_at(x, index);
}

Tensor rows_at(const Tensor& x, const Tensor& index) { return pick_rows("gather_rows", x, index); }

}  // namespace glimpse
