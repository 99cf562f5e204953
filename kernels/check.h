#pragma once
// Formatted errors for Glimpse's own sources. Not installed: users throw glimpse::Error themselves.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "glimpse/kernels/error.h"

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
