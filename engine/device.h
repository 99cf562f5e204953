#pragma once
// Choosing where tensors are computed.

#include "glimpse/engine/dtype.h"
#include "glimpse/kernels/cuda/precision.h"

namespace glimpse {

using cuda::MatmulPrecision;

/// Prepares work on `device`, with products of f32 numbers in `matmul` from now on. Throws Error where this build or
/// this machine has no such device, and for a precision other than f32 on the CPU.
void use_device(Device device, MatmulPrecision matmul = MatmulPrecision::f32);

}  // namespace glimpse
