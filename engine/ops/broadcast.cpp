#include "glimpse/engine/ops/broadcast.h"

#include <algorithm>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/internal/dimensions.h"
#include "glimpse/kernels/reduce.h"

namespace glimpse {
namespace {

/// Size of dimension d < 0, counted from the last; 1 where there is none.
std::int64_t size_or_one(const Shape& shape, int d) { return d < -shape.rank() ? 1 : shape[d]; }

}  // namespace

Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  Shape y;
  for (int d = -std::max(a.rank(), b.rank()); d < 0; ++d) {
    const std::int64_t m = size_or_one(a, d), n = size_or_one(b, d);
    check(m == n || m == 1 || n == 1, "{}: {} does not broadcast with {}", op, a, b);
    y.push_back(m == 1 ? n : m);
  }
  return y;
}

kernels::Broadcast line_up(const Shape& y, const Shape& a, const Shape& b) {
  kernels::Dimensions<2> dimensions;
  std::int64_t a_stride = 1, b_stride = 1;
  for (int d = -1; d >= -y.rank(); --d) {
    const std::int64_t m = size_or_one(a, d), n = size_or_one(b, d);
    dimensions.add(y[d], m == 1 ? 0 : a_stride, n == 1 ? 0 : b_stride);
    a_stride *= m;
    b_stride *= n;
  }
  if (dimensions.rank == 0) return kernels::same_shape(1);
  kernels::Broadcast lined{};
  lined.rank = dimensions.rank;
  std::reverse_copy(dimensions.sizes, dimensions.sizes + lined.rank, lined.sizes);
  std::reverse_copy(dimensions.strides[0], dimensions.strides[0] + lined.rank, lined.a_strides);
  std::reverse_copy(dimensions.strides[1], dimensions.strides[1] + lined.rank, lined.b_strides);
  return lined;
}

Tensor broadcast_to(const Tensor& x, const Shape& shape, double scale) {
  Tensor y(shape, x.dtype(), x.device());
  const Tensor factor = full({}, scale, x.dtype(), x.device());
  on(x, [&]<class T>(auto device) {
    kernels::zip(device, kernels::Multiply{}, line_up(shape, x.shape(), {}), x.data<T>(), factor.data<T>(),
                 y.data<T>());
  });
  return y;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  const auto repeats = [&](int d) { return size_or_one(shape, d) == 1 && x.size(d) != 1; };
  Tensor y = x;
  for (int d = -x.rank(); d < 0;) {
    if (!repeats(d)) {
      ++d;
      continue;
    }
    // One run of neighbouring dimensions at a time.
    std::int64_t outer = 1, n = 1, inner = 1;
    for (int i = -x.rank(); i < d; ++i) outer *= y.size(i);
    Shape summed = y.shape();
    for (; d < 0 && repeats(d); ++d) {
      n *= y.size(d);
      summed = summed.with(d, 1);
    }
    for (int i = d; i < 0; ++i) inner *= y.size(i);
    const Tensor before = y;
    y = Tensor(summed, x.dtype(), x.device());
    on(x,
       [&]<class T>(auto device) { kernels::reduce_sum(device, outer, n, inner, 1.0, before.data<T>(), y.data<T>()); });
  }
  return y.reshape(shape);
}

}  // namespace glimpse
