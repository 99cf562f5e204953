#pragma once
// Formatted errors for Glimpse's own sources. Not installed: users throw glimpse::Error themselves.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <concepts>
#include <string>

#include "glimpse/kernels/base/error.h"

namespace glimpse {

/// Types that can print themselves, such as Shape. Pass them to check() as they are: the text is made only where it is
/// needed, which a call of str() would do each time.
template <class T>
concept Printable = requires(const T& x) {
  { x.str() } -> std::same_as<std::string>;
};

}  // namespace glimpse

template <glimpse::Printable T>
struct fmt::formatter<T> : fmt::formatter<std::string> {
  auto format(const T& x, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(x.str(), context);
  }
};
template <glimpse::Printable T, class Char>
struct fmt::is_range<T, Char> : std::false_type {};

namespace glimpse {

/// Throws Error with a formatted message.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::format(text, std::forward<Args>(args)...));
}

/// Throws Error with a formatted message unless `ok`.
template <class... Args>
void check(bool ok, fmt::format_string<Args...> text, Args&&... args) {
  if (!ok) [[unlikely]]
    throw Error(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace glimpse
