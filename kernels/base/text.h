#pragma once
// Numbers as people read them.

#include <cstdint>
#include <string>

namespace glimpse {

/// "1,234,567".
std::string with_commas(std::int64_t number);
/// "1.2 GiB", "35 MiB", "812 KiB".
std::string human_bytes(double bytes);
/// "2:07:31", "4:05" or "12 s".
std::string human_seconds(double seconds);

}  // namespace glimpse
