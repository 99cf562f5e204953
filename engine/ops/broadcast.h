#pragma once
// NumPy's broadcasting: shapes are aligned at the last dimension, and a size of 1 repeats.

#include "glimpse/engine/tensor.h"
#include "glimpse/kernels/elementwise.h"

namespace glimpse {

/// Shape of the result of two operands. Throws Error when they do not line up.
Shape broadcast_shape(const char* op, const Shape& a, const Shape& b);
/// The operands' strides under the result's shape `y`, with neighbouring dimensions merged where both operands allow
/// it.
kernels::Broadcast line_up(const Shape& y, const Shape& a, const Shape& b);

/// scale * x, repeated to `shape`. No gradient is recorded.
Tensor broadcast_to(const Tensor& x, const Shape& shape, double scale = 1);
/// What undoes it: x summed, in a fixed order, over the dimensions in which `shape` repeats itself. No gradient is
/// recorded.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace glimpse
