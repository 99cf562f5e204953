#include "glimpse/engine/shape.h"

#include <algorithm>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

constexpr std::int64_t most_elements = std::int64_t{1} << 59;  // their bytes can be counted in 63 bits

}  // namespace

Shape::Shape(std::initializer_list<std::int64_t> sizes) {
  for (std::int64_t size : sizes) push_back(size);
}

void Shape::push_back(std::int64_t size) {
  check(rank_ < max_rank, "shape: more than {} dimensions", max_rank);
  check(size >= 0, "shape: negative size {}", size);
  sizes_[rank_++] = size;
}

std::int64_t Shape::numel() const {
  std::int64_t n = 1;
  bool too_many = false;  // a size of 0 may still follow
  for (std::int64_t size : *this) {
    if (size == 0) return 0;
    too_many |= __builtin_mul_overflow(n, size, &n) || n > most_elements;
  }
  check(!too_many, "shape: {} has too many elements", *this);
  return n;
}

int Shape::index(int dim) const {
  const int i = dim < 0 ? dim + rank_ : dim;
  check(i >= 0 && i < rank_, "shape: no dimension {} in {}", dim, *this);
  return i;
}

Shape Shape::with(int dim, std::int64_t size) const {
  Shape result = *this;
  check(size >= 0, "shape: negative size {}", size);
  result.sizes_[index(dim)] = size;
  return result;
}

Shape Shape::without(int dim) const {
  Shape result;
  const int skipped = index(dim);
  for (int i = 0; i < rank_; ++i)
    if (i != skipped) result.push_back((*this)[i]);
  return result;
}

bool Shape::operator==(const Shape& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

std::string Shape::str() const { return fmt::format("({})", fmt::join(begin(), end(), ",")); }

}  // namespace glimpse
