#include "glimpse/kernels/layout.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// A tensor seen around dimension `dim`: (outer, size, inner).
struct Split {
  std::int64_t outer = 1, inner = 1;
  Split(const Shape& shape, int dim) {
    for (int d = 0; d < dim; ++d) outer *= shape[d];
    for (int d = dim + 1; d < shape.rank(); ++d) inner *= shape[d];
  }
};

/// Copies all of `part` to elements [begin, ...) of dimension `dim` of `whole`, or, with `out`, the other way round.
void copy_part(const Tensor& whole, const Tensor& part, int dim, std::int64_t begin, bool out) {
  const Split split(whole.shape(), dim);
  const std::int64_t width = part.size(dim) * split.inner, stride = whole.size(dim) * split.inner;
  on(whole, [&]<class T>(auto device) {
    T* inside = whole.data<T>() + begin * split.inner;
    if (out)
      kernels::copy_rows<T>(device, split.outer, width, stride, inside, width, part.data<T>());
    else
      kernels::copy_rows<T>(device, split.outer, width, width, part.data<T>(), stride, inside);
  });
}

/// Where x's elements go in a permuted tensor, with dimensions merged that stay neighbours.
kernels::StridedView permuted_view(const Shape& shape, const std::vector<int>& order) {
  std::int64_t strides[Shape::max_rank], stride = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= shape[d];
  }
  kernels::StridedView view{};
  for (const int d : order) {
    if (shape[d] == 1) continue;
    const int last = view.rank - 1;
    if (last >= 0 && view.strides[last] == strides[d] * shape[d]) {
      view.sizes[last] *= shape[d];
      view.strides[last] = strides[d];
      continue;
    }
    view.sizes[view.rank] = shape[d];
    view.strides[view.rank++] = strides[d];
  }
  if (view.rank == 0) return {1, {1}, {1}};
  return view;
}

}  // namespace

Tensor permute(const Tensor& x, const std::vector<int>& order) {
  require_floating("permute", "x", x);
  std::vector<int> inverse(static_cast<std::size_t>(x.rank()), -1);
  check(order.size() == inverse.size(), "permute: {} dimensions named for {}", order.size(), x.shape());
  Shape shape;
  for (std::size_t d = 0; d < order.size(); ++d) {
    check(order[d] >= 0 && order[d] < x.rank() && inverse[order[d]] < 0,
          "permute: ({}) is not an order of {} dimensions", fmt::join(order, ","), x.rank());
    inverse[order[d]] = static_cast<int>(d);
    shape.push_back(x.size(order[d]));
  }
  Tensor y(shape, x.dtype(), x.device());
  on(x, [&]<class T>(auto device) {
    kernels::permute(device, permuted_view(x.shape(), order), x.data<T>(), y.data<T>());
  });
  return differentiable("permute", y, {x}, [inverse](const Tensor& dy) { return permute(dy, inverse); });
}

Tensor concat(const std::vector<Tensor>& parts, int dim) {
  check(!parts.empty(), "concat: no tensors");
  require_floating("concat", "part 0", parts[0]);
  const int d = parts[0].shape().index(dim);
  std::vector<std::int64_t> ends;
  std::int64_t total = 0;
  for (const Tensor& part : parts) {
    require_same_kind("concat", parts[0], part);
    check(part.rank() == parts[0].rank() && part.shape().with(d, 0) == parts[0].shape().with(d, 0),
          "concat: {} and {} differ in more than dimension {}", parts[0].shape(), part.shape(), d);
    ends.push_back(total += part.size(d));
  }
  Tensor y(parts[0].shape().with(d, total), parts[0].dtype(), parts[0].device());
  for (std::size_t i = 0; i < parts.size(); ++i) copy_part(y, parts[i], d, ends[i] - parts[i].size(d), false);
  return differentiable("concat", {y}, parts, [d, ends](const Gradients& dy) {
    Gradients dx;
    std::int64_t begin = 0;
    for (const std::int64_t end : ends) {
      dx.push_back(slice(dy[0], d, begin, end));
      begin = end;
    }
    return dx;
  })[0];
}

Tensor slice(const Tensor& x, int dim, std::int64_t begin, std::int64_t end) {
  require_floating("slice", "x", x);
  const int d = x.shape().index(dim);
  check(0 <= begin && begin <= end && end <= x.size(d), "slice: [{},{}) of dimension {} of {}", begin, end, d,
        x.shape());
  Tensor y(x.shape().with(d, end - begin), x.dtype(), x.device());
  copy_part(x, y, d, begin, true);
  return differentiable("slice", y, {x}, [shape = x.shape(), d, begin](const Tensor& dy) {
    Tensor dx = zeros(shape, dy.dtype(), dy.device());
    copy_part(dx, dy, d, begin, false);
    return dx;
  });
}

}  // namespace glimpse
