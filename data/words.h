#pragma once
// How the text of a caption becomes words, and words text.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glimpse/kernels/base/choice.h"

namespace glimpse {

/// What of a text is a word. On ASCII text `ascii` and `unicode` agree.
enum class WordRule : std::uint8_t {
  /// Karpathy's files: lower case, all but a-z, 0-9 and white space removed, cut at white space.
  ascii,
  /// Every script: NFC, lower case of no particular language (Turkish I becomes i), letters, their marks and digits
  /// kept, cut
  /// at white space. Scripts that put no blanks between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are cut
  /// into
  /// characters; an emoji is a word. ASCII punctuation, and what stands for it inside words (curly apostrophe, hyphen),
  /// is
  /// removed as under `ascii`; other punctuation and symbols also end a word.
  unicode,
  /// The text was cut into words by its author: NFC, cut at white space, nothing removed or changed.
  spaces,
};
constexpr auto choices(WordRule) {
  return std::array{Choice{WordRule::ascii, "ascii"}, Choice{WordRule::unicode, "unicode"},
                    Choice{WordRule::spaces, "spaces"}};
}

/// The words of a text. What is not UTF-8 is white space.
std::vector<std::string> tokenize(std::string_view text, WordRule rule = WordRule::unicode);

/// The words with blanks between them; under `unicode` without blanks between characters of scripts that have none, so
/// that tokenize() gives the words again.
std::string join_words(const std::vector<std::string>& words, WordRule rule = WordRule::unicode);

/// Whether join_words() puts a blank between these two.
bool stand_apart(std::string_view left, std::string_view right, WordRule rule);

/// Words that somebody else has made, as tokenize(..., WordRule::spaces) would leave them: NFC, none empty or with
/// white space inside.
std::vector<std::string> given_words(const std::vector<std::string>& words);

/// Whether tokenize() by `rule` could have made this word.
bool is_word_of(std::string_view word, WordRule rule);

}  // namespace glimpse
