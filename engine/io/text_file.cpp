#include "glimpse/engine/io/text_file.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

enum class ByteOrder { little, big };

/// The order of UTF-16's bytes, where the text is UTF-16; `mark` is then the length of its mark.
std::optional<ByteOrder> utf16_order(std::string_view bytes, std::size_t& mark) {
  mark = 2;
  if (bytes.starts_with("\xff\xfe")) return ByteOrder::little;
  if (bytes.starts_with("\xfe\xff")) return ByteOrder::big;
  mark = 0;
  if (bytes.size() < 4 || bytes.size() % 2 != 0) return std::nullopt;
  if (bytes[0] != 0 && bytes[1] == 0 && bytes[3] == 0) return ByteOrder::little;
  if (bytes[0] == 0 && bytes[1] != 0 && bytes[2] == 0) return ByteOrder::big;
  return std::nullopt;
}

std::string from_utf16(std::string_view bytes, ByteOrder order, const std::string& where) {
  check(bytes.size() % 2 == 0, "{}: UTF-16 text of {} bytes, an odd number: cut off?", where, bytes.size());
  const auto unit = [&](std::size_t i) {
    const auto first = static_cast<unsigned char>(bytes[i]), second = static_cast<unsigned char>(bytes[i + 1]);
    return static_cast<char32_t>(order == ByteOrder::little ? first | second << 8 : first << 8 | second);
  };
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    char32_t c = unit(i);
    if (c >= 0xd800 && c < 0xe000) {
      const char32_t low = c < 0xdc00 && i + 2 < bytes.size() ? unit(i + 2) : 0;
      if (low < 0xdc00 || low >= 0xe000)
        fail("{}: line {}: UTF-16 with half a character", where, line_of(text, text.size()));
      c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
      i += 2;
    }
    append_utf8(text, c);
  }
  return text;
}

/// Throws Error unless the text is UTF-8 without zero bytes.
void check_utf8(std::string_view text, const std::string& where) {
  for (std::string_view rest = text; !rest.empty();) {
    const auto byte = static_cast<unsigned char>(rest[0]);
    if (byte != 0 && byte < 0x80) {
      rest.remove_prefix(1);
      continue;
    }
    const std::size_t at = text.size() - rest.size();
    if (byte == 0) fail("{}: line {}: a zero byte; expected text", where, line_of(text, at));
    if (take_code_point(rest) == no_code_point)
      fail(
          "{}: line {}: byte 0x{:02x} is not UTF-8; save the file as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8 converts "
          "what "
          "older spreadsheets write)",
          where, line_of(text, at), byte);
  }
}

}  // namespace

std::size_t line_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
}

std::string to_utf8(std::string bytes, const std::string& where) {
  std::size_t mark = 0;
  if (const std::optional<ByteOrder> order = utf16_order(bytes, mark))
    bytes = from_utf16(std::string_view(bytes).substr(mark), *order, where);
  else if (bytes.starts_with("\xef\xbb\xbf"))
    bytes.erase(0, 3);
  check_utf8(bytes, where);
  return bytes;
}

std::string read_utf8_file(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status)) {
    check(std::filesystem::is_regular_file(status) || std::filesystem::is_fifo(status), "{}: not a file of text",
          printable(path));
    const std::uintmax_t bytes = std::filesystem::is_regular_file(status) ? std::filesystem::file_size(path, error) : 0;
    check(error || bytes <= longest_text, "{}: {} bytes; text files may have {}", printable(path), bytes, longest_text);
  }
  return to_utf8(read_text_file(path), printable(path));
}

}  // namespace glimpse
