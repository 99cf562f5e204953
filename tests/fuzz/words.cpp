// Text of any bytes becomes words that stay words when they are joined and cut again.
#include <stdexcept>

#include "fuzz.h"
#include "glimpse/data/text.h"
#include "glimpse/data/words.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse::fuzz {
namespace {

void demand(bool ok, const char* what) {
  if (!ok) throw std::logic_error(what);
}

void read(std::string_view bytes) {
  for (const WordRule rule : {WordRule::ascii, WordRule::unicode, WordRule::spaces}) {
    const std::vector<std::string> words = tokenize(bytes, rule);
    for (const std::string& word : words) {
      demand(!word.empty(), "an empty word");
      demand(is_word_of(word, rule), "a word that is none when it stands alone");
    }
    demand(tokenize(join_words(words, rule), rule) == words, "joined and cut: other words");
    demand(given_words(words) == words, "words that are changed when they are given");
  }
  const std::string shown = printable(bytes);
  demand(printable(shown, 100000) == shown, "made printable twice: another text");
  demand(shown.size() <= 2000, "a long text");
  text_width(bytes, 10);
  wrap_text(bytes, 10, 100);
  fit_text(bytes, 10, 100);
}

std::vector<std::string> seeds() {
  return {"A tri-colored dog, isn't it?",
          "Ein Ma\u0308dchen la\u0308uft \u03a3\u03a3",
          "\u4e00\u4e2a \u5c0f\uff0c3D",
          "\u0e2a\u0e38\u0e19\u0e31\u0e02",
          "\u0915\u0941\u0924\u094d\u0924\u093e",
          "\u0645\u06cc\u200c\u0631\u0648\u062f",
          "a \U0001F468\u200d\U0001F469 \U0001F1E9\U0001F1EA 1\ufe0f\u20e3",
          "\xff\xc3 \x1b[0m"};
}

}  // namespace

const Target target{read, seeds};

}  // namespace glimpse::fuzz
