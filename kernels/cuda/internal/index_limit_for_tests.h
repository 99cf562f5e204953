#pragma once
// Lets a test see how arrays of more than 2^31 elements are cut, with a few of them.

#include <cstdint>

namespace glimpse::cuda {

/// most_indexed() is `limit` until the end of a scope.
class ScopedIndexLimit {
 public:
  explicit ScopedIndexLimit(std::int64_t limit);
  ~ScopedIndexLimit();
  ScopedIndexLimit(const ScopedIndexLimit&) = delete;
  ScopedIndexLimit& operator=(const ScopedIndexLimit&) = delete;

 private:
  std::int64_t before_;
};

}  // namespace glimpse::cuda
