#include "glimpse/engine/io/internal/stored.h"

#include <bit>
#include <cstring>
#include <utility>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

static_assert(std::endian::native == std::endian::little, "the readers copy bytes as they lie in little-endian files");

template <class T>
void to_i32(const std::byte* bytes, std::int64_t n, std::int32_t* y, const std::string& what) {
  for (std::int64_t i = 0; i < n; ++i) {
    T value;
    std::memcpy(&value, bytes + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
    check(std::in_range<std::int32_t>(value), "{}: element {} is {}, which does not fit i32", what, i, value);
    y[i] = static_cast<std::int32_t>(value);
  }
}

void convert_integers(StoredType type, const std::byte* bytes, std::int64_t n, std::int32_t* y,
                      const std::string& what) {
  switch (type) {
    case StoredType::i64:
      return to_i32<std::int64_t>(bytes, n, y, what);
    case StoredType::i16:
      return to_i32<std::int16_t>(bytes, n, y, what);
    case StoredType::i8:
      return to_i32<signed char>(bytes, n, y, what);
    case StoredType::u64:
      return to_i32<std::uint64_t>(bytes, n, y, what);
    case StoredType::u32:
      return to_i32<std::uint32_t>(bytes, n, y, what);
    case StoredType::u16:
      return to_i32<std::uint16_t>(bytes, n, y, what);
    default:
      return to_i32<unsigned char>(bytes, n, y, what);
  }
}

}  // namespace

std::size_t size_of(StoredType type) {
  switch (type) {
    case StoredType::f64:
    case StoredType::i64:
    case StoredType::u64:
      return 8;
    case StoredType::f16:
    case StoredType::bf16:
    case StoredType::i16:
    case StoredType::u16:
      return 2;
    case StoredType::i8:
    case StoredType::u8:
    case StoredType::boolean:
      return 1;
    default:
      return 4;
  }
}

DType loaded_dtype(StoredType type) {
  switch (type) {
    case StoredType::f32:
      return DType::f32;
    case StoredType::f64:
      return DType::f64;
    case StoredType::f16:
      return DType::f16;
    case StoredType::bf16:
      return DType::bf16;
    default:
      return DType::i32;
  }
}

std::optional<std::uint64_t> checked_numel(const std::vector<std::int64_t>& sizes) {
  if (sizes.size() > static_cast<std::size_t>(Shape::max_rank)) return std::nullopt;
  std::int64_t numel = 1;
  for (const std::int64_t size : sizes) {
    // A zero further right would not excuse an overflow: Shape multiplies in this order too.
    if (size < 0 || __builtin_mul_overflow(numel, size, &numel)) return std::nullopt;
  }
  return static_cast<std::uint64_t>(numel);
}

Tensor stored_tensor(std::byte* first, std::shared_ptr<const void> owner, const Shape& shape, StoredType type,
                     const std::string& what) {
  const DType dtype = loaded_dtype(type);
  const std::size_t bytes = static_cast<std::size_t>(shape.numel()) * size_of(type);
  if (dtype == DType::i32 && type != StoredType::i32) {
    const Tensor y = empty(shape, dtype);
    convert_integers(type, first, shape.numel(), y.data<std::int32_t>(), what);
    return y;
  }
  if (bytes == 0 || reinterpret_cast<std::uintptr_t>(first) % size_of(type) != 0) {
    const Tensor y = empty(shape, dtype);
    if (bytes > 0) std::memcpy(y.raw(), first, bytes);
    return y;
  }
  return Tensor(std::make_shared<Storage>(first, bytes, Device::cpu, std::move(owner)), 0, shape, dtype);
}

}  // namespace glimpse
