// Text of every script becomes words, and words become the text again.
#include "catch.h"
#include "glimpse/data/words.h"

using namespace glimpse;

namespace {

using Words = std::vector<std::string>;

struct Example {
  const char* text;
  Words words;
  const char* joined;
};

}  // namespace

TEST_CASE("ASCII text becomes words as in Karpathy's files, by both rules") {
  for (const WordRule rule : {WordRule::ascii, WordRule::unicode}) {
    CHECK(tokenize("A tri-colored dog , isn't it ?", rule) == Words{"a", "tricolored", "dog", "isnt", "it"});
    CHECK(tokenize("  two\tDOGS\n3 ", rule) == Words{"two", "dogs", "3"});
    CHECK(tokenize(" . , - ", rule).empty());
    CHECK(tokenize("", rule).empty());
    std::string all;
    for (char c = 1; c > 0; ++c) all += c;
    CHECK(tokenize(all, rule) == tokenize(all, WordRule::ascii));
  }
  CHECK(tokenize("caf\xc3\xa9 noir", WordRule::ascii) == Words{"caf", "noir"});
  CHECK(join_words({"a", "b"}) == "a b");
  CHECK(join_words({}).empty());
}

TEST_CASE("words of every script are kept") {
  const Example examples[] = {
      {"Ein M\u00e4dchen l\u00e4uft \u00fcber die \u201eGR\u00dcNE\u201c STRASSE, Stra\u00dfe.",
       {"ein", "m\u00e4dchen", "l\u00e4uft", "\u00fcber", "die", "gr\u00fcne", "strasse", "stra\u00dfe"},
       "ein m\u00e4dchen l\u00e4uft \u00fcber die gr\u00fcne strasse stra\u00dfe"},
      {"\u0414\u0412\u0415 \u0441\u043e\u0431\u0430\u043a\u0438 \u2014 \u0451\u0436",
       {"\u0434\u0432\u0435", "\u0441\u043e\u0431\u0430\u043a\u0438", "\u0451\u0436"},
       "\u0434\u0432\u0435 \u0441\u043e\u0431\u0430\u043a\u0438 \u0451\u0436"},
      {"\u03a3\u039a\u03a5\u039b\u039f\u03a3 \u03a3",
       {"\u03c3\u03ba\u03c5\u03bb\u03bf\u03c2", "\u03c3"},
       "\u03c3\u03ba\u03c5\u03bb\u03bf\u03c2 \u03c3"},
      {"\u0643\u0644\u0628 \u064a\u064e\u0631\u0643\u064f\u0636\u060c \u0661\u0662",
       {"\u0643\u0644\u0628", "\u064a\u064e\u0631\u0643\u064f\u0636", "\u0661\u0662"},
       "\u0643\u0644\u0628 \u064a\u064e\u0631\u0643\u064f\u0636 \u0661\u0662"},
      {"\u0645\u06cc\u200c\u0631\u0648\u062f\u200c .",
       {"\u0645\u06cc\u200c\u0631\u0648\u062f"},
       "\u0645\u06cc\u200c\u0631\u0648\u062f"},  // a joiner counts between letters only
      {"\u090f\u0915 \u0915\u0941\u0924\u094d\u0924\u093e \u0926\u094c\u0921\u093c\u0924\u093e \u0939\u0948\u0964",
       {"\u090f\u0915", "\u0915\u0941\u0924\u094d\u0924\u093e", "\u0926\u094c\u0921\u093c\u0924\u093e", "\u0939\u0948"},
       "\u090f\u0915 \u0915\u0941\u0924\u094d\u0924\u093e \u0926\u094c\u0921\u093c\u0924\u093e \u0939\u0948"},
      {"\u4e00\u4e2a \u5c0f\u5973\u5b69\uff0c\u5728\u8349\u5730 3D",
       {"\u4e00", "\u4e2a", "\u5c0f", "\u5973", "\u5b69", "\u5728", "\u8349", "\u5730", "3d"},
       "\u4e00\u4e2a\u5c0f\u5973\u5b69\u5728\u8349\u5730 3d"},
      {"\u72ac\u304c\u30dc\u30fc\u30eb\u3002",
       {"\u72ac", "\u304c", "\u30dc", "\u30fc", "\u30eb"},
       "\u72ac\u304c\u30dc\u30fc\u30eb"},
      {"\u0e2a\u0e38\u0e19\u0e31\u0e02\u0e27\u0e34\u0e48\u0e07",
       {"\u0e2a\u0e38", "\u0e19\u0e31", "\u0e02", "\u0e27\u0e34\u0e48", "\u0e07"},
       "\u0e2a\u0e38\u0e19\u0e31\u0e02\u0e27\u0e34\u0e48\u0e07"},
      {"\uac1c \ud55c \ub9c8\ub9ac\uac00",
       {"\uac1c", "\ud55c", "\ub9c8\ub9ac\uac00"},
       "\uac1c \ud55c \ub9c8\ub9ac\uac00"},
      {"k\u0131s k\u0131z I\u015f\u0131k",
       {"k\u0131s", "k\u0131z", "i\u015f\u0131k"},
       "k\u0131s k\u0131z i\u015f\u0131k"},  // dotless i is a letter of its own
      {"a \U0001F436 runs\U0001F468\u200d\U0001F469\u200d\U0001F467\U0001F1E9\U0001F1EA \u2764\ufe0f",
       {"a", "\U0001F436", "runs", "\U0001F468\u200d\U0001F469\u200d\U0001F467", "\U0001F1E9\U0001F1EA", "\u2764"},
       "a \U0001F436 runs \U0001F468\u200d\U0001F469\u200d\U0001F467 \U0001F1E9\U0001F1EA \u2764"},
      {"it\u2019s a tri\u2010colored dog\u2026and\u00a0a cat",
       {"its", "a", "tricolored", "dog", "and", "a", "cat"},
       "its a tricolored dog and a cat"},
  };
  for (const Example& example : examples) {
    CAPTURE(example.text);
    CHECK(tokenize(example.text) == example.words);
    CHECK(join_words(example.words) == example.joined);
    CHECK(tokenize(join_words(example.words)) == example.words);
    for (const std::string& word : example.words) CHECK(is_word_of(word, WordRule::unicode));
  }
}

TEST_CASE("letters and their marks are composed") {
  CHECK(tokenize("Ma\u0308dchen") == Words{"m\u00e4dchen"});
  CHECK(tokenize("\u0308 a") == Words{"a"});  // a mark without a letter
  CHECK(tokenize("x\u0335y") == Words{"x\u0335y"});
  CHECK(given_words({"Ma\u0308dchen", "", "two words", "tab\there", "'s"}) ==
        Words{"M\u00e4dchen", "two", "words", "tab", "here", "'s"});
}

TEST_CASE("what is not UTF-8 is white space") {
  CHECK(tokenize("a\xff"
                 "b\xc3") == Words{"a", "b"});
  for (const WordRule rule : {WordRule::unicode, WordRule::spaces})
    CHECK(tokenize("z\xc3\xa4\xff"
                   "b \xe4\xb8",
                   rule) == Words{"z\u00e4", "b"});
}

TEST_CASE("text that was cut into words stays so") {
  CHECK(tokenize("It 's  \u4e00\u4e2a \u5c0f\u5973\u5b69 .", WordRule::spaces) ==
        Words{"It", "'s", "\u4e00\u4e2a", "\u5c0f\u5973\u5b69", "."});
  CHECK(join_words({"\u4e00\u4e2a", "\u5728"}, WordRule::spaces) == "\u4e00\u4e2a \u5728");
  CHECK(is_word_of("dog", WordRule::ascii));
  CHECK_FALSE(is_word_of("Dog", WordRule::ascii));
  CHECK_FALSE(is_word_of("h\u00fcnd", WordRule::ascii));
  CHECK_FALSE(is_word_of("\u4e00\u4e2a", WordRule::unicode));
  CHECK(is_word_of("\u4e00\u4e2a", WordRule::spaces));
}
