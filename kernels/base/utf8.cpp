#include "glimpse/kernels/base/utf8.h"

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// Controls, and the marks that would let text show in another order or break its line.
bool is_unprintable(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xfeff || (c >= 0xe0000 && c < 0xe1000);
}

std::string spelled(char32_t c, std::string_view bytes) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  if (c != no_code_point && c >= 0x80) return fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  return fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0]));
}

/// The first `most` bytes of `text` or fewer: no code point is cut.
std::string_view head(std::string_view text, std::size_t most) {
  std::size_t end = std::min(most, text.size());
  for (int i = 0; i < 3 && end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80; ++i)
    --end;
  return text.substr(0, end);
}

std::string_view tail(std::string_view text, std::size_t most) {
  std::size_t begin = text.size() - std::min(most, text.size());
  for (int i = 0; i < 3 && begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80; ++i)
    ++begin;
  return text.substr(begin);
}

std::string spelled_out(std::string_view text, bool keep_lines) {
  std::string result;
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t c = take_code_point(text);
    const std::string_view bytes = before.substr(0, before.size() - text.size());
    const bool show = c != no_code_point && (!is_unprintable(c) || (keep_lines && c == '\n'));
    result += show ? std::string(bytes) : spelled(c, bytes);
  }
  return result;
}

std::string shown(std::string_view text, std::size_t most, bool keep_lines) {
  constexpr std::string_view gap = " [...] ";
  if (text.size() <= most) return spelled_out(text, keep_lines);
  const std::size_t kept = most > gap.size() ? most - gap.size() : 0, last = kept / 3;
  return spelled_out(head(text, kept - last), keep_lines) + std::string(gap) +
         spelled_out(tail(text, last), keep_lines);
}

}  // namespace

char32_t take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t bytes = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  char32_t c = bytes <= 1 ? lead : lead & (0x7fu >> bytes);
  bool valid = bytes > 0 && bytes <= text.size();
  for (std::size_t i = 1; valid && i < bytes; ++i) {
    valid = (byte(i) & 0xc0) == 0x80;
    c = c << 6 | (byte(i) & 0x3fu);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  valid = valid && c >= least[bytes] && c <= 0x10ffff && !(c >= 0xd800 && c < 0xe000);
  text.remove_prefix(valid ? bytes : 1);
  return valid ? c : no_code_point;
}

void append_utf8(std::string& text, char32_t c) {
  const auto add = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (c < 0x80) {
    add(c);
  } else if (c < 0x800) {
    add(0xc0 | c >> 6);
    add(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    add(0xe0 | c >> 12);
    add(0x80 | (c >> 6 & 0x3f));
    add(0x80 | (c & 0x3f));
  } else {
    add(0xf0 | c >> 18);
    add(0x80 | (c >> 12 & 0x3f));
    add(0x80 | (c >> 6 & 0x3f));
    add(0x80 | (c & 0x3f));
  }
}

std::string printable(std::string_view text, std::size_t most) { return shown(text, most, false); }

std::string printable_lines(std::string_view text, std::size_t most) { return shown(text, most, true); }

}  // namespace glimpse
