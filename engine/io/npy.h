#pragma once
// NumPy's .npy files.

#include <string>

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// Reads a little-endian array in C order: f2, f4, f8, i4, and i8 where its values fit i32. Throws Error "path: reason"
/// for anything else, for more than six dimensions, and for a file of the wrong length. The tensor shares the mapping
/// of the file (engine/io/file.h) where that is aligned.
Tensor read_npy(const std::string& path);

/// Writes f32, f64, f16 or i32 in one instant (AtomicFile). Throws Error for bf16, which NumPy does not have.
void write_npy(const std::string& path, const Tensor& x);

}  // namespace glimpse
