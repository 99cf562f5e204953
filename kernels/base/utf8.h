#pragma once
// UTF-8 read code point by code point, and text made fit for a terminal.

#include <cstddef>
#include <string>
#include <string_view>

namespace glimpse {

/// What take_code_point returns for a byte that begins no valid UTF-8.
constexpr char32_t no_code_point = 0xffffffff;

/// Takes one code point off the front of `text`, which must not be empty. For what is not UTF-8 (RFC 3629: overlong
/// forms, surrogates and cut sequences too) one byte is taken and no_code_point returned.
char32_t take_code_point(std::string_view& text);

/// Appends the UTF-8 of a code point up to 0x10ffff.
void append_utf8(std::string& text, char32_t code_point);

/// `text` as a terminal or an error can show it: control characters, bytes that are not UTF-8, and what turns the
/// direction of writing are spelled out (\n, \x1b, \u202e); of more than `most` bytes the middle is left out. Applied
/// twice it changes nothing more.
std::string printable(std::string_view text, std::size_t most = 200);

/// The same, but line ends stay: for a message of several lines.
std::string printable_lines(std::string_view text, std::size_t most = 20000);

}  // namespace glimpse
