#include "glimpse/kernels/reduce.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/engine/ops/broadcast.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// scale * sum of x over dimensions [from, to), which disappear.
Tensor scaled_sum(const char* name, const Tensor& x, int from, int to, double scale) {
  std::int64_t outer = 1, n = 1, inner = 1;
  Shape shape, kept;  // of the result: without the summed dimensions, and with sizes of 1 in their place
  for (int d = 0; d < x.rank(); ++d) {
    const bool summed = from <= d && d < to;
    (d < from ? outer : summed ? n : inner) *= x.size(d);
    if (!summed) shape.push_back(x.size(d));
    kept.push_back(summed ? 1 : x.size(d));
  }
  Tensor y(shape, x.dtype(), x.device(), name);
  on(x, [&]<class T>(auto device) { kernels::reduce_sum(device, outer, n, inner, scale, x.data<T>(), y.data<T>()); });
  return differentiable(name, y, {x}, [kept, scale, x_shape = x.shape()](const Tensor& dy) {
    return broadcast_to(dy.reshape(kept), x_shape, scale);
  });
}

Tensor reduce(const char* name, const Tensor& x, int from, int to, bool average) {
  require_floating(name, "x", x);
  std::int64_t n = 1;
  for (int d = from; d < to; ++d) n *= x.size(d);
  check(!average || n > 0, "{}: {} has no elements to average", name, x.shape());
  return scaled_sum(name, x, from, to, average ? 1 / static_cast<double>(n) : 1);
}

Tensor reduce_all(const char* name, const Tensor& x, bool average) { return reduce(name, x, 0, x.rank(), average); }

Tensor reduce_one(const char* name, const Tensor& x, int dim, bool average) {
  const int d = x.shape().index(dim);
  return reduce(name, x, d, d + 1, average);
}

}  // namespace

Tensor sum(const Tensor& x) { return reduce_all("sum", x, false); }
Tensor mean(const Tensor& x) { return reduce_all("mean", x, true); }
Tensor mean_square(const Tensor& x) { return mean(square(x)); }
Tensor sum(const Tensor& x, int dim) { return reduce_one("sum", x, dim, false); }
Tensor mean(const Tensor& x, int dim) { return reduce_one("mean", x, dim, true); }

}  // namespace glimpse
