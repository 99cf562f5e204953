#include "glimpse/data/words.h"

#include <algorithm>

#include "glimpse/data/internal/unicode.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

using unicode::Kind;
using Words = std::vector<std::string>;

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

Words ascii_words(std::string_view text) {
  Words words(1);
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z')
      words.back() += static_cast<char>(c - 'A' + 'a');
    else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
      words.back() += c;
    else if ((c == ' ' || (c >= '\t' && c <= '\r')) && !words.back().empty())
      words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

/// Puts characters together to words, by WordRule::unicode.
class WordCutter {
 public:
  /// One character as readers see it.
  void take(std::u32string_view cluster) {
    switch (unicode::kind_of(cluster[0])) {
      case Kind::pictograph:
        return take_alone(cluster);
      case Kind::letter:
        return unicode::is_unspaced(cluster[0]) ? take_alone(cluster) : append(cluster);
      case Kind::mark:
      case Kind::joiner:
        if (!word_.empty()) append(cluster);
        return;
      case Kind::removed:
        return;
      case Kind::space:
      case Kind::separator:
        return end_word();
    }
  }

  Words finish() {
    end_word();
    return std::move(words_);
  }

 private:
  void take_alone(std::u32string_view cluster) {
    end_word();
    append(cluster);
    end_word();
  }

  void append(std::u32string_view cluster) {
    for (const char32_t c : cluster) {
      const Kind kind = unicode::kind_of(c);
      if (kind == Kind::joiner) {
        joiners_ += c;
      } else if (kind == Kind::letter || kind == Kind::mark || unicode::kind_of(cluster[0]) == Kind::pictograph) {
        if (kind == Kind::removed) continue;
        word_ += joiners_;
        joiners_.clear();
        ends_in_capital_sigma_ = c == U'\u03a3' && !word_.empty();
        word_ += unicode::lower(c);
      }
    }
  }

  void end_word() {
    if (ends_in_capital_sigma_) word_.back() = U'\u03c2';  // the form of sigma at the end of a word
    std::string word;
    for (const char32_t c : word_) append_utf8(word, c);
    if (!word.empty()) words_.push_back(std::move(word));
    word_.clear();
    joiners_.clear();
    ends_in_capital_sigma_ = false;
  }

  std::u32string word_, joiners_;  // joiners count only between two letters
  bool ends_in_capital_sigma_ = false;
  Words words_;
};

Words unicode_words(std::string_view text) {
  const std::u32string points = unicode::composed(text);
  WordCutter cutter;
  for (std::size_t begin = 0, end = 0; begin < points.size(); begin = end) {
    end = unicode::cluster_end(points, begin);
    cutter.take(std::u32string_view(points).substr(begin, end - begin));
  }
  return cutter.finish();
}

Words spaced_words(std::string_view text) {
  Words words(1);
  for (const char32_t c : unicode::composed(text)) {
    if (c == 0x7f || (c < 0x20) || unicode::kind_of(c) == Kind::space) {
      if (!words.back().empty()) words.emplace_back();
    } else {
      append_utf8(words.back(), c);
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

bool begins_unspaced(std::string_view word) { return !word.empty() && unicode::is_unspaced(take_code_point(word)); }

}  // namespace

Words tokenize(std::string_view text, WordRule rule) {
  if (rule == WordRule::spaces) return spaced_words(text);
  return rule == WordRule::ascii || is_ascii(text) ? ascii_words(text) : unicode_words(text);
}

std::string join_words(const Words& words, WordRule rule) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0 && stand_apart(words[i - 1], words[i], rule)) text += ' ';
    text += words[i];
  }
  return text;
}

bool stand_apart(std::string_view left, std::string_view right, WordRule rule) {
  return rule != WordRule::unicode || !begins_unspaced(left) || !begins_unspaced(right);
}

Words given_words(const Words& words) {
  Words result;
  for (const std::string& word : words)
    for (std::string& part : tokenize(word, WordRule::spaces)) result.push_back(std::move(part));
  return result;
}

bool is_word_of(std::string_view word, WordRule rule) {
  const Words words = tokenize(word, rule);
  return words.size() == 1 && words[0] == word;
}

}  // namespace glimpse
