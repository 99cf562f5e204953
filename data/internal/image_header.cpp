#include "glimpse/data/internal/image_header.h"

#include <algorithm>
#include <string>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

// The most bytes that a byte of a compressed stream can stand for: deflate repeats 258 bytes for two bits (RFC 1951),
// GIF's LZW up to 4096 for 12 bits.
constexpr std::int64_t most_inflation = 1032, most_gif_inflation = 2731;

/// Empty past the end.
std::string_view four(std::string_view bytes, std::size_t at) {
  return at < bytes.size() ? bytes.substr(at, 4) : std::string_view();
}

std::int64_t samples_of_png(std::int64_t colour_type) {
  switch (colour_type) {
    case 2:
      return 3;
    case 4:
      return 2;
    case 6:
      return 4;
    default:
      return 1;
  }
}

/// Walks the chunks (W3C PNG, clause 5): IHDR must come first, or what is checked is not what is decoded.
ImageHeader png_header(std::string_view bytes) {
  const auto number = [&](std::size_t at, std::size_t count) { return read_number(bytes, at, count, true); };
  ImageHeader header{ImageFormat::png};
  number(8, 8);
  check(four(bytes, 12) != "CgBI", "PNG in Apple's own form (CgBI), which only Apple's programs read; convert it");
  check(four(bytes, 12) == "IHDR" && number(8, 4) == 13, "broken PNG: it does not begin with its header");
  header.width = number(16, 4);
  header.height = number(20, 4);
  const std::int64_t bits = number(24, 1) * samples_of_png(number(25, 1));
  if (header.width < 1 << 30 && header.height < 1 << 30)
    header.least_bytes = (header.width * bits + 7) / 8 * header.height / most_inflation;
  for (std::size_t at = 33; at + 8 <= bytes.size();) {
    const std::int64_t length = number(at, 4);
    if (four(bytes, at + 4) == "IEND") break;
    if (four(bytes, at + 4) == "eXIf") header.orientation = exif_orientation(bytes.substr(at + 8, length));
    at += static_cast<std::size_t>(length) + 12;
  }
  return header;
}

ImageHeader bmp_header(std::string_view bytes) {
  const auto number = [&](std::size_t at, std::size_t count) { return read_number(bytes, at, count, false); };
  ImageHeader header{ImageFormat::bmp};
  const bool old = number(14, 4) == 12;  // OS/2: 16-bit sizes
  const auto size = [&](std::size_t index) {
    if (old) return number(18 + 2 * index, 2);
    const std::int64_t value = number(18 + 4 * index, 4);
    return value < std::int64_t{1} << 31 ? value : (std::int64_t{1} << 32) - value;
  };
  header.width = size(0);
  header.height = size(1);  // a negative height means rows from the top
  header.least_bytes = header.width * header.height / 8;
  return header;
}

/// VP8 (RFC 6386, 9.1), VP8L (RFC 9649, 3.4), or VP8X with the canvas and chunks after it (RFC 9649, 2.7).
ImageHeader webp_header(std::string_view bytes) {
  const auto number = [&](std::size_t at, std::size_t count) { return read_number(bytes, at, count, false); };
  ImageHeader header{ImageFormat::webp};
  const std::string_view kind = four(bytes, 12);
  if (kind == "VP8X") {
    header.width = 1 + number(24, 3);
    header.height = 1 + number(27, 3);
    for (std::size_t at = 30; at + 8 <= bytes.size();) {
      const auto length = static_cast<std::size_t>(number(at + 4, 4));
      if (four(bytes, at) == "EXIF") header.orientation = exif_orientation(bytes.substr(at + 8, length));
      at += 8 + length + length % 2;
    }
  } else if (kind == "VP8L") {
    const std::int64_t sizes = number(21, 4);
    header.width = 1 + (sizes & 0x3fff);
    header.height = 1 + ((sizes >> 14) & 0x3fff);
  } else {
    check(kind == "VP8 ", "broken WebP: it does not begin with a picture");
    header.width = number(26, 2) & 0x3fff;
    header.height = number(28, 2) & 0x3fff;
  }
  return header;
}

/// Whether `brand` stands among the brands of an ISO file (ISO/IEC 14496-12, 4.3).
bool has_brand(std::string_view bytes, std::string_view brand) {
  const auto length = static_cast<std::size_t>(read_number(bytes, 0, 4, true));
  for (std::size_t at = 8; at + 4 <= std::min(length, bytes.size()); at += 4)
    if (at != 12 && four(bytes, at) == brand) return true;
  return false;
}

bool has_any_brand(std::string_view bytes, std::initializer_list<std::string_view> brands) {
  return std::any_of(brands.begin(), brands.end(), [&](std::string_view brand) { return has_brand(bytes, brand); });
}

}  // namespace

std::int64_t read_number(std::string_view bytes, std::size_t offset, std::size_t count, bool big_endian) {
  check(offset + count <= bytes.size(), "truncated in the header");
  std::int64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t place = big_endian ? offset + i : offset + count - 1 - i;
    value = (value << 8) | static_cast<std::uint8_t>(bytes[place]);
  }
  return value;
}

ImageHeader read_image_header(std::string_view bytes) {
  check(!bytes.empty(), "empty file");
  if (bytes.starts_with("\xff\xd8\xff")) return read_jpeg_header(bytes);
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return png_header(bytes);
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) {
    const std::int64_t width = read_number(bytes, 6, 2, false), height = read_number(bytes, 8, 2, false);
    // A small frame may lie on a large canvas; none that large lies there for nothing.
    const std::int64_t least = std::max<std::int64_t>(width * height - (1 << 24), 0) / most_gif_inflation;
    return {.format = ImageFormat::gif, .width = width, .height = height, .least_bytes = least};
  }
  if (bytes.starts_with("BM")) return bmp_header(bytes);
  if (bytes.starts_with("RIFF") && four(bytes, 8) == "WEBP") return webp_header(bytes);
  if (bytes.starts_with(std::string_view("II*\0", 4)) || bytes.starts_with(std::string_view("MM\0*", 4)))
    return {.format = ImageFormat::tiff};
  if (bytes.size() >= 12 && four(bytes, 4) == "ftyp") {
    if (has_any_brand(bytes, {"avif", "avis"})) return {.format = ImageFormat::avif};
    if (has_any_brand(bytes, {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"}))
      return {.format = ImageFormat::heif};
  }
  fail("not an image, or of a format that is not known");
}

}  // namespace glimpse
