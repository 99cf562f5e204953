#pragma once
// Rows by indices that need no look.

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// gather_rows for indices that the host has made, or has looked at already: every index must be a row of x. A GPU that
/// is asked whether they are costs a wait each time.
Tensor rows_at(const Tensor& x, const Tensor& index);

}  // namespace glimpse
