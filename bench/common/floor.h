#pragma once
// The least time that a piece of work can take on this machine: its matrix products, each at the rate that they reach
// alone, and the bytes of all else at the rate of a large copy.

#include <array>
#include <cstdint>
#include <map>

namespace glimpse::bench {

/// On the CPU, with the threads that are set when it is made.
class Floor {
 public:
  /// Measures the copy.
  Floor();

  /// Adds `count` products of (m,k) and (k,n) matrices in f32.
  void product(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t count = 1);
  /// Adds arrays of f32 that are read or written.
  void elements(double count) { bytes_ += 4 * count; }

  double seconds() const { return products_ + bytes_ / copy_; }

 private:
  double copy_;  // bytes a second, read and written
  double products_ = 0, bytes_ = 0;
  std::map<std::array<std::int64_t, 3>, double> measured_;  // seconds of a product
};

}  // namespace glimpse::bench
