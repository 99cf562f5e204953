#pragma once
// Tensors that lie in a mapped file, of whatever element type the file has.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// Element types that occur in files. Those that Glimpse computes with are taken as they are, the others become i32.
enum class StoredType { f32, f64, f16, bf16, i32, i64, i16, i8, u64, u32, u16, u8, boolean };

/// Of bytes; PyTorch's are below 200. Keeps messages readable, and a file from repeating a long one.
inline constexpr std::size_t longest_tensor_name = 1000;

std::size_t size_of(StoredType type);
/// The tensor's type once it is read.
DType loaded_dtype(StoredType type);

/// Elements of a shape; nothing when that overflows 63 bits, a size is negative, or there are more than six dimensions.
std::optional<std::uint64_t> checked_numel(const std::vector<std::int64_t>& sizes);

/// The array of `shape` and `type` that begins at `first`. Shares that memory, which `owner` keeps alive, where type
/// and alignment allow; else copies. Throws Error starting with `what` for an integer that does not fit i32.
Tensor stored_tensor(std::byte* first, std::shared_ptr<const void> owner, const Shape& shape, StoredType type,
                     const std::string& what);

}  // namespace glimpse
