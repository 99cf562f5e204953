#include "glimpse/data/internal/image_header.h"

#include <cstdlib>
#include <string>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// Big-endian or little-endian number of `count` bytes; throws when the file ends before.
std::int64_t number(std::string_view bytes, std::size_t offset, std::size_t count, bool big_endian) {
  check(offset + count <= bytes.size(), "truncated in the header");
  std::int64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t place = big_endian ? offset + i : offset + count - 1 - i;
    value = (value << 8) | static_cast<std::uint8_t>(bytes[place]);
  }
  return value;
}

/// Walks the marker segments up to the frame header (ITU-T T.81, annex B).
ImageHeader jpeg_header(std::string_view bytes) {
  ImageHeader header{ImageHeader::Format::jpeg};
  std::size_t at = 2;
  while (true) {
    check(number(bytes, at, 1, true) == 0xff, "broken JPEG: no marker at byte {}", at);
    while (number(bytes, at, 1, true) == 0xff) ++at;
    const std::int64_t marker = number(bytes, at++, 1, true);
    check(marker != 0xd9 && marker != 0xda, "broken JPEG: pixels before the frame header");
    if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7)) continue;  // these have no content
    const std::int64_t length = number(bytes, at, 2, true);
    check(length >= 2, "broken JPEG: segment of {} bytes at byte {}", length, at);
    if (marker == 0xee && bytes.substr(at + 2, 5) == "Adobe") header.adobe_marker = true;
    if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
      header.height = number(bytes, at + 3, 2, true);
      header.width = number(bytes, at + 5, 2, true);
      header.components = static_cast<int>(number(bytes, at + 7, 1, true));
      return header;
    }
    at += static_cast<std::size_t>(length);
  }
}

[[noreturn]] void fail_for_unknown(std::string_view bytes) {
  const std::string_view brand = bytes.substr(0, 4), inner = bytes.size() >= 12 ? bytes.substr(8, 4) : "";
  const char* other = nullptr;
  if (brand == "RIFF" && inner == "WEBP") other = "WebP";
  if (brand == std::string_view("II*\0", 4) || brand == std::string_view("MM\0*", 4)) other = "TIFF";
  if (bytes.size() >= 12 && bytes.substr(4, 4) == "ftyp") other = inner.starts_with("avi") ? "AVIF" : "HEIF";
  if (other) fail("{} is not supported, only JPEG, PNG, BMP and GIF", other);
  std::string begin;
  for (const char c : bytes.substr(0, 12)) begin += c >= ' ' && c <= '~' ? c : '?';
  fail("not an image: JPEG, PNG, BMP or GIF expected, the file begins with '{}'", begin);
}

}  // namespace

ImageHeader read_image_header(std::string_view bytes) {
  check(!bytes.empty(), "empty file");
  if (bytes.starts_with("\xff\xd8\xff")) return jpeg_header(bytes);
  if (bytes.starts_with("\x89PNG\r\n\x1a\n"))
    return {ImageHeader::Format::png, number(bytes, 16, 4, true), number(bytes, 20, 4, true)};
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a"))
    return {ImageHeader::Format::gif, number(bytes, 6, 2, false), number(bytes, 8, 2, false)};
  if (bytes.starts_with("BM")) {
    const bool old = number(bytes, 14, 4, false) == 12;  // OS/2: 16-bit sizes
    const auto size = [&](std::size_t index) {
      if (old) return number(bytes, 18 + 2 * index, 2, false);
      return std::int64_t{std::abs(static_cast<std::int32_t>(number(bytes, 18 + 4 * index, 4, false)))};
    };
    return {ImageHeader::Format::bmp, size(0), size(1)};  // a negative height means rows from the top
  }
  fail_for_unknown(bytes);
}

}  // namespace glimpse
