#pragma once
// Fewer dimensions for the same elements: what kernels with strides go by.

#include <cstdint>

namespace glimpse::kernels {

/// Dimensions that `Arrays` strided arrays are walked along together, innermost first.
template <int Arrays>
struct Dimensions {
  static constexpr int most = 6;
  int rank = 0;
  std::int64_t sizes[most] = {};
  std::int64_t strides[Arrays][most] = {};

  /// One dimension further out. One of size 1 adds nothing; where all arrays go on just behind the last dimension, it
  /// grows instead.
  template <class... Stride>
  void add(std::int64_t size, Stride... stride) {
    static_assert(sizeof...(stride) == Arrays);
    if (size == 1) return;
    const std::int64_t steps[Arrays] = {stride...};
    if (rank > 0 && continues(steps)) {
      sizes[rank - 1] *= size;
      return;
    }
    sizes[rank] = size;
    for (int a = 0; a < Arrays; ++a) strides[a][rank] = steps[a];
    ++rank;
  }

 private:
  bool continues(const std::int64_t (&steps)[Arrays]) const {
    for (int a = 0; a < Arrays; ++a)
      if (steps[a] != strides[a][rank - 1] * sizes[rank - 1]) return false;
    return true;
  }
};

}  // namespace glimpse::kernels
