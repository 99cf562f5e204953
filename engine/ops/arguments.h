#pragma once
// Argument checks that ops share. Every message begins with the name of the op.

#include <optional>

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// Throws Error unless x is f32 or f64. `role` names the argument in the message: "logits".
void require_floating(const char* op, const char* role, const Tensor& x);
/// Throws Error unless both are f32 or both are f64, on the same device.
void require_same_kind(const char* op, const Tensor& a, const Tensor& b);
/// Throws Error unless x has this many dimensions; `layout` shows them: "(N,V)".
void require_rank(const char* op, const char* role, const Tensor& x, int rank, const char* layout);
/// Throws Error unless `index` is i32 and all its values lie in [0,limit) or equal `allowed`; the message names the
/// first position and value that does not.
void require_indices(const char* op, const char* role, const Tensor& index, std::int64_t limit,
                     std::optional<std::int32_t> allowed = std::nullopt);

}  // namespace glimpse
