#pragma once
// Walks over bytes that may be damaged.

#include <concepts>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "glimpse/kernels/base/check.h"

namespace glimpse {

/// Takes little-endian numbers and pieces off the front of `bytes`. Every step past the end throws Error.
class ByteReader {
 public:
  ByteReader(std::string_view bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}

  std::string_view take(std::uint64_t count) {
    check(count <= bytes_.size() - at_, "{}: cut off or damaged: {} bytes are wanted at byte {} of {}", path_, count,
          at_, bytes_.size());
    const std::string_view piece = bytes_.substr(at_, count);
    at_ += count;
    return piece;
  }
  template <std::integral T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  /// Up to the next newline, which is taken but not returned.
  std::string_view line() {
    const std::size_t end = bytes_.find('\n', at_);
    check(end != std::string_view::npos, "{}: cut off or damaged: a line does not end", path_);
    const std::string_view text = take(end - at_);
    take(1);
    return text;
  }

  /// Bytes taken so far.
  std::size_t at() const { return at_; }
  void go_to(std::uint64_t place) {
    at_ = 0;
    take(place);
  }
  const std::string& path() const { return path_; }

 private:
  std::string_view bytes_;
  std::string path_;
  std::size_t at_ = 0;
};

}  // namespace glimpse
