#include "glimpse/data/internal/porter_stemmer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace glimpse {
namespace {

using Text = std::u32string;
using View = std::u32string_view;

bool is_vowel(char32_t c) { return View(U"aeiou").find(c) != View::npos; }

/// Whether each letter is a consonant; y is one unless it follows one.
std::vector<bool> consonants(View word) {
  std::vector<bool> result;
  for (const char32_t c : word) result.push_back(c == U'y' ? result.empty() || !result.back() : !is_vowel(c));
  return result;
}

/// m of the paper: how often a consonant follows a vowel.
int measure(View stem) {
  const std::vector<bool> consonant = consonants(stem);
  int m = 0;
  for (std::size_t i = 1; i < consonant.size(); ++i) m += consonant[i] && !consonant[i - 1];
  return m;
}

/// *v*: the stem holds a vowel.
bool has_vowel(View stem) {
  const std::vector<bool> consonant = consonants(stem);
  return std::find(consonant.begin(), consonant.end(), false) != consonant.end();
}

/// *d: ends in a double consonant.
bool ends_doubled(View word) {
  const std::size_t n = word.size();
  return n >= 2 && word[n - 1] == word[n - 2] && consonants(word).back();
}

/// *o: ends consonant, vowel, consonant, the last one not w, x or y; or is a vowel and a consonant.
bool ends_short(View word) {
  const std::vector<bool> consonant = consonants(word);
  const std::size_t n = word.size();
  if (n == 2) return !consonant[0] && consonant[1];
  return n >= 3 && consonant[n - 3] && !consonant[n - 2] && consonant[n - 1] &&
         View(U"wxy").find(word[n - 1]) == View::npos;
}

View without(View word, std::size_t letters) { return word.substr(0, word.size() - letters); }

/// An ending, what replaces it, and whether that is allowed by what stands before it.
struct Rule {
  View ending, replacement;
  bool (*allowed)(View stem);
};

bool always(View) { return true; }
bool is_word(View stem) { return measure(stem) > 0; }
bool is_long(View stem) { return measure(stem) > 1; }

/// Applies the first rule whose ending the word has, where it is allowed; no other is tried.
Text applied(const Text& word, std::span<const Rule> rules) {
  for (const Rule& rule : rules) {
    if (!View(word).ends_with(rule.ending)) continue;
    const View stem = without(word, rule.ending.size());
    return rule.allowed(stem) ? Text(stem).append(rule.replacement) : word;
  }
  return word;
}

/// Plurals.
Text step_1a(const Text& word) {
  if (word.size() == 4 && word.ends_with(U"ies")) return word.substr(0, 3);
  static constexpr std::array<Rule, 4> rules = {
      {{U"sses", U"ss", always}, {U"ies", U"i", always}, {U"ss", U"ss", always}, {U"s", U"", always}}};
  return applied(word, rules);
}

/// What is left of a word without -ed or -ing: an e or a doubled letter is put right.
Text repaired(const Text& stem) {
  for (const View ending : {View(U"at"), View(U"bl"), View(U"iz")})
    if (View(stem).ends_with(ending)) return stem + U'e';
  if (ends_doubled(stem)) return View(U"lsz").find(stem.back()) == View::npos ? Text(without(stem, 1)) : stem;
  return measure(stem) == 1 && ends_short(stem) ? stem + U'e' : stem;
}

/// Participles.
Text step_1b(const Text& word) {
  if (word.ends_with(U"ied")) return Text(without(word, word.size() == 4 ? 1 : 2));
  if (word.ends_with(U"eed")) return is_word(without(word, 3)) ? Text(without(word, 1)) : word;
  for (const View ending : {View(U"ed"), View(U"ing")})
    if (View(word).ends_with(ending) && has_vowel(without(word, ending.size())))
      return repaired(Text(without(word, ending.size())));
  return word;
}

Text step_1c(const Text& word) {
  static constexpr std::array<Rule, 1> rules = {
      {{U"y", U"i", [](View stem) { return stem.size() > 1 && consonants(stem).back(); }}}};
  return applied(word, rules);
}

/// Double suffixes.
Text step_2(Text word) {
  while (word.ends_with(U"alli") && is_word(without(word, 4))) word.resize(word.size() - 2);
  static constexpr std::array<Rule, 21> rules = {
      {{U"ational", U"ate", is_word}, {U"tional", U"tion", is_word}, {U"enci", U"ence", is_word},
       {U"anci", U"ance", is_word},   {U"izer", U"ize", is_word},    {U"bli", U"ble", is_word},
       {U"alli", U"al", is_word},     {U"entli", U"ent", is_word},   {U"eli", U"e", is_word},
       {U"ousli", U"ous", is_word},   {U"ization", U"ize", is_word}, {U"ation", U"ate", is_word},
       {U"ator", U"ate", is_word},    {U"alism", U"al", is_word},    {U"iveness", U"ive", is_word},
       {U"fulness", U"ful", is_word}, {U"ousness", U"ous", is_word}, {U"aliti", U"al", is_word},
       {U"iviti", U"ive", is_word},   {U"biliti", U"ble", is_word},  {U"fulli", U"ful", is_word}}};
  // The l of -logi counts with the stem, so that geologi has one.
  if (word.ends_with(U"logi")) return is_word(without(word, 3)) ? Text(without(word, 1)) : word;
  return applied(word, rules);
}

Text step_3(const Text& word) {
  static constexpr std::array<Rule, 7> rules = {{{U"icate", U"ic", is_word},
                                                 {U"ative", U"", is_word},
                                                 {U"alize", U"al", is_word},
                                                 {U"iciti", U"ic", is_word},
                                                 {U"ical", U"ic", is_word},
                                                 {U"ful", U"", is_word},
                                                 {U"ness", U"", is_word}}};
  return applied(word, rules);
}

bool is_long_before_ion(View stem) { return is_long(stem) && (stem.back() == U's' || stem.back() == U't'); }

Text step_4(const Text& word) {
  static constexpr std::array<Rule, 19> rules = {{{U"al", U"", is_long},
                                                  {U"ance", U"", is_long},
                                                  {U"ence", U"", is_long},
                                                  {U"er", U"", is_long},
                                                  {U"ic", U"", is_long},
                                                  {U"able", U"", is_long},
                                                  {U"ible", U"", is_long},
                                                  {U"ant", U"", is_long},
                                                  {U"ement", U"", is_long},
                                                  {U"ment", U"", is_long},
                                                  {U"ent", U"", is_long},
                                                  {U"ion", U"", is_long_before_ion},
                                                  {U"ou", U"", is_long},
                                                  {U"ism", U"", is_long},
                                                  {U"ate", U"", is_long},
                                                  {U"iti", U"", is_long},
                                                  {U"ous", U"", is_long},
                                                  {U"ive", U"", is_long},
                                                  {U"ize", U"", is_long}}};
  return applied(word, rules);
}

/// A last e, a last l.
Text step_5(Text word) {
  if (word.ends_with(U'e')) {
    const View stem = without(word, 1);
    const int m = measure(stem);
    if (m > 1 || (m == 1 && !ends_short(stem))) word.pop_back();
  }
  if (word.ends_with(U"ll") && is_long(without(word, 1))) word.pop_back();
  return word;
}

struct Irregular {
  View word, stem;
};
constexpr std::array<Irregular, 16> irregular = {{{U"sky", U"sky"},
                                                  {U"skies", U"sky"},
                                                  {U"dying", U"die"},
                                                  {U"lying", U"lie"},
                                                  {U"tying", U"tie"},
                                                  {U"news", U"news"},
                                                  {U"innings", U"inning"},
                                                  {U"inning", U"inning"},
                                                  {U"outings", U"outing"},
                                                  {U"outing", U"outing"},
                                                  {U"cannings", U"canning"},
                                                  {U"canning", U"canning"},
                                                  {U"howe", U"howe"},
                                                  {U"proceed", U"proceed"},
                                                  {U"exceed", U"exceed"},
                                                  {U"succeed", U"succeed"}}};

}  // namespace

std::u32string porter_stem(const std::u32string& word) {
  for (const Irregular& known : irregular)
    if (word == known.word) return Text(known.stem);
  if (word.size() <= 2) return word;
  return step_5(step_4(step_3(step_2(step_1c(step_1b(step_1a(word)))))));
}

}  // namespace glimpse
