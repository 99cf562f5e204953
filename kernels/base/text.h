#pragma once
// Numbers and words as people read and write them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glimpse {

/// "1,234,567".
std::string with_commas(std::int64_t number);
/// "1.2 GiB", "35 MiB", "812 KiB".
std::string human_bytes(double bytes);
/// "2:07:31", "4:05" or "12 s".
std::string human_seconds(double seconds);

/// The one of `candidates` that was probably meant by `word`: that which fewest letters left out, added, changed or
/// swapped with their neighbour turn into it, at most a third of its own; empty where none is so close.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
/// " (did you mean 'NEAREST'?)", or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace glimpse
