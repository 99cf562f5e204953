#pragma once
// Choosing where tensors are computed.

#include "glimpse/engine/dtype.h"
#include "glimpse/kernels/base/precision.h"

namespace glimpse {

using kernels::MatmulPrecision;

/// Prepares work on `device`, with products of f32 numbers in `matmul` from now on. Throws Error where this build or
/// this machine has no such device, for tf32 on the CPU, and for bf16 on one that has no unit for it.
void use_device(Device device, MatmulPrecision matmul = MatmulPrecision::f32);

}  // namespace glimpse
