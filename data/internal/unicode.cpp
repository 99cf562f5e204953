#include "glimpse/data/internal/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>

#include "glimpse/kernels/base/utf8.h"

namespace glimpse::unicode {
namespace {

struct Range {
  char32_t first, last;
};

// Unicode 15, Scripts.txt: Han, Hiragana, Katakana, Bopomofo; Thai, Lao, Myanmar, Khmer.
constexpr std::array<Range, 24> unspaced = {
    {{0x0e01, 0x0e3a},   {0x0e40, 0x0e5b},   {0x0e81, 0x0edf},   {0x1000, 0x109f},  {0x1780, 0x17f9},
     {0x2e80, 0x2fd5},   {0x3005, 0x3007},   {0x3021, 0x3029},   {0x3038, 0x303c},  {0x3041, 0x309f},
     {0x30a1, 0x30ff},   {0x3105, 0x312f},   {0x31a0, 0x31bf},   {0x31f0, 0x31ff},  {0x3400, 0x4dbf},
     {0x4e00, 0x9fff},   {0xa9e0, 0xa9fe},   {0xaa60, 0xaa7f},   {0xf900, 0xfaff},  {0xff66, 0xff9f},
     {0x16fe2, 0x16fe4}, {0x16ff0, 0x16ff1}, {0x1aff0, 0x1b16f}, {0x20000, 0x3ffff}}};

/// Inside words these stand for what ASCII has as ' and -, or they are invisible.
constexpr std::array<char32_t, 9> removed = {0x00ad, 0x00b7, 0x05f3, 0x05f4, 0x2010, 0x2011, 0x2018, 0x2019, 0xff07};

Kind ascii_kind(char32_t c) {
  if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return Kind::letter;
  return c == ' ' || (c >= '\t' && c <= '\r') ? Kind::space : Kind::removed;
}

/// Sees to it that code points are valid: U+0020 for what is not.
std::string valid_utf8(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const char32_t c = take_code_point(text);
    append_utf8(valid, c == no_code_point ? U' ' : c);
  }
  return valid;
}

}  // namespace

Kind kind_of(char32_t c) {
  if (c < 0x80) return ascii_kind(c);
  if (c == 0x200c || c == 0x200d) return Kind::joiner;
  if (c == 0x200b) return Kind::space;  // invisible, but where Thai and Khmer may end a word
  if (c == 0xfe0e || c == 0xfe0f || std::find(removed.begin(), removed.end(), c) != removed.end()) return Kind::removed;
  const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
  const bool picture = property->boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC && c >= 0x231a;
  if (picture || property->boundclass == UTF8PROC_BOUNDCLASS_REGIONAL_INDICATOR) return Kind::pictograph;
  switch (property->category) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return Kind::mark;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
      return Kind::space;
    case UTF8PROC_CATEGORY_CF:
      return Kind::removed;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
      return Kind::separator;
    default:
      return Kind::letter;
  }
}

bool is_unspaced(char32_t c) {
  return c >= unspaced.front().first && std::any_of(unspaced.begin(), unspaced.end(), [&](const Range& range) {
           return c >= range.first && c <= range.last;
         });
}

char32_t lower(char32_t c) { return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))); }

std::u32string composed(std::string_view text) {
  const std::string valid = valid_utf8(text);
  utf8proc_uint8_t* bytes = nullptr;
  const utf8proc_ssize_t count =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(valid.data()), static_cast<utf8proc_ssize_t>(valid.size()),
                   &bytes, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (count < 0) throw std::bad_alloc();  // valid text has no other way to fail
  std::string_view rest(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
  std::u32string points;
  while (!rest.empty()) points += take_code_point(rest);
  std::free(bytes);
  return points;
}

std::size_t cluster_end(std::u32string_view text, std::size_t begin) {
  utf8proc_int32_t state = 0;
  std::size_t end = begin + 1;
  while (end < text.size() && !utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(text[end - 1]),
                                                                static_cast<utf8proc_int32_t>(text[end]), &state))
    ++end;
  return end;
}

}  // namespace glimpse::unicode
