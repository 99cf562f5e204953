#pragma once
#include <string>

namespace glimpse::test {

/// Why no test of this program can run here, or "". Such a program ends with 77, which ctest shows as "skipped".
/// A program sets it before main(), by a variable's initial value.
inline std::string (*reason_to_skip)() = nullptr;

}  // namespace glimpse::test
