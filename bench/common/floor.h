#pragma once
// The least time that a piece of work can take on this machine: its matrix products, each at the rate that they reach
// alone, and the bytes of all else at the rate of a large copy.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

namespace glimpse::bench {

/// Seconds of one call, the quickest of several rounds of some milliseconds.
double least_seconds(const std::function<void()>& run);

/// On the CPU, with the threads that are set when it is made.
class Floor {
 public:
  /// Measures the copy.
  Floor();

  /// Adds `count` products of (m,k) and (k,n) matrices in f32.
  void product(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t count = 1);
  /// Adds arrays of f32 that are read or written.
  void elements(double count) { bytes_ += 4 * count; }
  /// Adds work whose least time was measured elsewhere.
  void work(double seconds) { work_ += seconds; }

  double seconds() const { return work_ + bytes_ / copy_; }

 private:
  double copy_;  // bytes a second, read and written
  double work_ = 0, bytes_ = 0;
  std::map<std::array<std::int64_t, 3>, double> measured_;  // seconds of a product
};

/// Adds the fields "floor_ms" and "share_of_floor" of work that took `seconds`.
void add_floor(nlohmann::ordered_json& result, double floor, double seconds);

}  // namespace glimpse::bench
