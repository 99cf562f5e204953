#pragma once
// What of Unicode's tables words are made of, by utf8proc.

#include <cstdint>
#include <string>
#include <string_view>

namespace glimpse::unicode {

enum class Kind : std::uint8_t {
  letter,      ///< letters, digits, and what this version of the tables does not know
  mark,        ///< belongs to the letter before it
  joiner,      ///< U+200C and U+200D, which shape the letters around them
  pictograph,  ///< emoji
  space,       ///< white space, control characters
  removed,     ///< leaves no trace: ASCII punctuation, apostrophes, hyphens, invisible marks
  separator,   ///< other punctuation and symbols
};
Kind kind_of(char32_t c);

/// A letter of a script that is written without blanks between words.
bool is_unspaced(char32_t c);

/// The simple lower case mapping of no particular language.
char32_t lower(char32_t c);

/// The code points of a text in normal form C; U+0020 for each byte that is not UTF-8.
std::u32string composed(std::string_view text);

/// The end of the character as readers see it (extended grapheme cluster, UAX 29) that begins at `begin`.
std::size_t cluster_end(std::u32string_view text, std::size_t begin);

}  // namespace glimpse::unicode
