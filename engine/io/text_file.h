#pragma once
// Text files as people's programs write them, read as UTF-8.

#include <cstddef>
#include <string>
#include <string_view>

namespace glimpse {

/// The largest text file that is read.
constexpr std::size_t longest_text = std::size_t{1} << 30;

/// The text of a file in UTF-8. A byte order mark is taken off, UTF-16 (with its mark, or known by the zero byte of a
/// first ASCII letter) is converted. A regular file or a pipe of at most longest_text bytes. Throws Error that names
/// the file, and the line of the first byte which is not text.
std::string read_utf8_file(const std::string& path);

/// The same for bytes that were read already; `where` stands in errors.
std::string to_utf8(std::string bytes, const std::string& where);

/// The number, from 1, of the line that holds byte `offset` of `text`.
std::size_t line_of(std::string_view text, std::size_t offset);

}  // namespace glimpse
