#pragma once
// Sizes of a tensor's dimensions, outermost first.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace glimpse {

/// Up to six dimensions. A scalar has rank 0 and one element.
class Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;
  /// Throws Error for a negative size or more than six dimensions.
  Shape(std::initializer_list<std::int64_t> sizes);
  template <class Iterator>
  Shape(Iterator first, Iterator last) {
    for (; first != last; ++first) push_back(*first);
  }

  int rank() const { return rank_; }
  /// Size of dimension `dim`; -1 is the last. Throws Error when there is no such dimension.
  std::int64_t operator[](int dim) const { return sizes_[index(dim)]; }
  /// Product of the sizes. Throws Error where it is beyond 2^59.
  std::int64_t numel() const;
  const std::int64_t* begin() const { return sizes_.data(); }
  const std::int64_t* end() const { return sizes_.data() + rank_; }

  void push_back(std::int64_t size);
  /// The same shape with dimension `dim` of another size.
  Shape with(int dim, std::int64_t size) const;
  /// The same shape without dimension `dim`.
  Shape without(int dim) const;
  /// 0 <= result < rank, from a possibly negative `dim`; throws Error when out of range.
  int index(int dim) const;

  bool operator==(const Shape& other) const;
  /// "(64,196,512)".
  std::string str() const;

 private:
  std::array<std::int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

}  // namespace glimpse
