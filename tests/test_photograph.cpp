// Photographs as phones and cameras write them, and files that promise more than they hold.
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "catch.h"
#include "error_of.h"
#include "glimpse/data/image.h"
#include "glimpse/data/internal/codecs.h"
#include "glimpse/engine/io/file.h"
#include "scratch_folder.h"

namespace glimpse::test {
namespace {

const std::string golden = std::string(GLIMPSE_TEST_DATA) + "/images/";

std::string big(std::uint32_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 255);
  return text;
}

/// EXIF that holds one entry, as little-endian or big-endian TIFF.
std::string exif(int orientation, bool big_endian) {
  const std::string value(1, static_cast<char>(orientation));
  const std::string zero(1, '\0');
  if (big_endian)
    return std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01", 18) + zero + value + std::string(6, '\0');
  return std::string("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 18) + value + zero + std::string(6, '\0');
}

std::string with_exif(const std::string& jpeg, const std::string& content) {
  const std::string segment = std::string("Exif\0\0", 6) + content;
  return jpeg.substr(0, 2) + "\xff\xe1" + big(static_cast<std::uint32_t>(segment.size() + 2), 2) + segment +
         jpeg.substr(2);
}

std::string chunk(const std::string& name, const std::string& content) {
  return big(static_cast<std::uint32_t>(content.size()), 4) + name + content + std::string(4, '\0');  // no CRC is read
}

std::string png_header(std::uint32_t width, std::uint32_t height, char depth = 8, char colour = 2) {
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", big(width, 4) + big(height, 4) + depth + colour + std::string(3, '\0'));
}

std::string message_of(const std::string& bytes, const ImageOptions& options = {}) {
  return error_of([&] { decode_image("file", bytes, options); });
}

/// Bytes of memory that this process ever held.
std::int64_t peak_memory() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

/// A frame header and nothing after it that a decoder could use.
std::string jpeg_of(int marker, std::uint32_t width, std::uint32_t height, const std::string& rest) {
  return "\xff\xd8\xff" + std::string(1, static_cast<char>(marker)) + big(17, 2) + "\x08" + big(height, 2) +
         big(width, 2) + std::string("\x03\x01\x11\0\x02\x11\0\x03\x11\0", 10) + rest;
}

/// The first scan of a progressive JPEG, of two bytes.
const std::string dc_scan("\xff\xda\0\x08\x01\x01\0\0\0\0\0\0", 12);

}  // namespace

TEST_CASE("each EXIF orientation shows the same picture") {
  // 2 x 3 pixels a b / c d / e f, and what they are where they were stored that way: where each number is displayed.
  const Image stored{2, 3, {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5}};
  const auto levels = [](const Image& image) {
    std::vector<int> all;
    for (std::size_t i = 0; i < image.rgb.size(); i += 3) all.push_back(image.rgb[i]);
    return all;
  };
  const std::vector<int> expected[] = {{0, 1, 2, 3, 4, 5}, {1, 0, 3, 2, 5, 4}, {5, 4, 3, 2, 1, 0}, {4, 5, 2, 3, 0, 1},
                                       {0, 2, 4, 1, 3, 5}, {4, 2, 0, 5, 3, 1}, {5, 3, 1, 4, 2, 0}, {1, 3, 5, 0, 2, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    INFO(orientation);
    const Image image = upright(stored, orientation);
    CHECK(image.width == (orientation > 4 ? 3 : 2));
    CHECK(image.height == (orientation > 4 ? 2 : 3));
    CHECK(levels(image) == expected[orientation - 1]);
  }
  CHECK(upright(stored, 0).rgb == stored.rgb);
  CHECK(upright(stored, 9).rgb == stored.rgb);
}

TEST_CASE("EXIF is found in JPEG, PNG and WebP, and heeded unless the picture is wanted as stored") {
  const std::string jpeg = read_text_file(golden + "baseline.jpg"), png = read_text_file(golden + "colour.png");
  const auto check_turned = [](const std::string& bytes, const Image& stored, int orientation) {
    const Image image = decode_image("turned", bytes);
    CHECK(image.width == (orientation > 4 ? stored.height : stored.width));
    CHECK(image.rgb == upright(stored, orientation).rgb);
    CHECK(decode_image("as stored", bytes, {.orientation = Orientation::stored}).rgb == stored.rgb);
  };
  for (const int orientation : {3, 6, 8}) {
    INFO(orientation);
    for (const bool big_endian : {false, true})
      check_turned(with_exif(jpeg, exif(orientation, big_endian)), decode_image("plain", jpeg), orientation);
    const std::string part = chunk("eXIf", exif(orientation, true));
    check_turned(png.substr(0, 33) + part + png.substr(33), decode_image("plain", png), orientation);
    const std::size_t end = png.size() - 12;  // also after the pixels
    check_turned(png.substr(0, end) + part + png.substr(end), decode_image("plain", png), orientation);
  }
  if (!have_libwebp) return;
  const std::string webp = read_text_file(golden + "lossless.webp");
  const std::string extended = std::string("VP8X\x0a\0\0\0\x08\0\0\0\x1f\0\0\x17\0\0", 18) + webp.substr(12) +
                               std::string("EXIF\x1a\0\0\0", 8) + exif(6, false);
  const auto size = static_cast<std::uint32_t>(extended.size() + 4);
  const std::string length{static_cast<char>(size & 255), static_cast<char>(size >> 8), '\0', '\0'};
  check_turned("RIFF" + length + "WEBP" + extended, decode_image("plain", webp), 6);
}

TEST_CASE("damaged EXIF turns nothing and stops nothing") {
  const std::string jpeg = read_text_file(golden + "baseline.jpg"), good = exif(6, false);
  const Image stored = decode_image("plain", jpeg);
  CHECK(exif_orientation(good) == 6);
  for (std::size_t length = 0; length < good.size(); ++length) CHECK_NOTHROW(exif_orientation(good.substr(0, length)));
  std::string far = good;
  far.replace(4, 4, "\xff\xff\xff\xff");
  std::string unknown = good;
  unknown[18] = 99;
  std::string text = good;
  text[12] = 2;  // of another type
  for (const std::string& bad : {far, unknown, text, std::string("Exif"), std::string()}) {
    CHECK(exif_orientation(bad) == 1);
    CHECK(decode_image("damaged", with_exif(jpeg, bad)).rgb == stored.rgb);
  }
}

TEST_CASE("a large JPEG that is squashed is decoded smaller, and looks the same") {
  const Image source = resize(read_image(golden + "baseline.jpg"), 640, 512);
  const ScratchFolder folder;
  write_png(folder / "a.png", source);
  CHECK(read_image(folder / "a.png", {.squash = 64}).rgb == resize(source, 64, 64).rgb);
  // Both sides must stay at least twice as long as what is wanted.
  const std::string small = read_text_file(golden + "baseline.jpg");  // 32 x 24
  const Image whole = decode_image("whole", small);
  CHECK(decode_image("kept", small, {.squash = 7}).rgb == resize(whole, 7, 7).rgb);
  if (!have_libjpeg) return;
  const ImageHeader header = read_image_header(small);
  const auto decoded = [&](int least) {
    return decode_by_libjpeg({.bytes = small, .header = header, .max_bytes = 1 << 20, .least_side = least});
  };
  CHECK(decoded(13).width == 32);
  CHECK(decoded(12).width == 16);
  CHECK(decoded(6).width == 8);
  CHECK(decoded(3).width == 4);
  CHECK(decoded(1).width == 4);
  const Image half = decoded(12), expected = resize(whole, 16, 12);
  double sum = 0;
  for (std::size_t i = 0; i < half.rgb.size(); ++i) sum += std::abs(half.rgb[i] - expected.rgb[i]);
  CHECK(sum / static_cast<double>(half.rgb.size()) < 4);  // blurred less than by the triangle filter
  // As stored is as it was before pictures were decoded smaller.
  CHECK(decode_image("stored", small, {.orientation = Orientation::stored, .squash = 3}).rgb ==
        resize(whole, 3, 3).rgb);
}

TEST_CASE("files that promise more than they hold are refused at once") {
  const std::int64_t before = peak_memory();
  const std::string end = chunk("IEND", "");
  // 13,000 x 13,000 pixels are within the limit.
  CHECK_THAT(message_of(png_header(13000, 13000) + chunk("IDAT", "x\x9c\x63") + end), Contains("truncated or damaged"));
  CHECK_THAT(message_of(jpeg_of(0xc2, 13000, 13000, dc_scan + std::string(180, '\0'))),
             Contains("truncated or damaged"));
  CHECK_THAT(message_of(jpeg_of(0xc0, 13000, 13000, "\xff\xd9")), Contains("truncated or damaged"));
  CHECK_THAT(message_of("GIF89a" + std::string("\xc8\x32\xc8\x32\0\0\0", 7)), Contains("truncated or damaged"));
  std::string bmp = read_text_file(golden + "colour.bmp");
  bmp.replace(18, 8, std::string("\xc8\x32\0\0\xc8\x32\0\0", 8));
  CHECK_THAT(message_of(bmp), Contains("truncated or damaged"));
  bmp.replace(22, 4, std::string("\0\0\0\x80", 4));  // -2^31 rows
  CHECK_THAT(message_of(bmp), Contains("the limit is"));
  CHECK(peak_memory() - before < 64'000'000);
}

TEST_CASE("a small picture whose stream unfolds without end is refused") {
  // Deflate of fixed codes: a zero byte, then 258 zeros again and again, 13 bits each.
  std::string stream = "\x78\x01";
  std::uint64_t bits = 0;
  int count = 0;
  const auto put = [&](std::uint32_t value, int length) {
    bits |= std::uint64_t{value} << count;
    for (count += length; count >= 8; count -= 8, bits >>= 8) stream += static_cast<char>(bits & 255);
  };
  put(0b011, 3);       // the last block, fixed codes
  put(0b00001100, 8);  // literal 0 is 00110000, from its first bit
  for (int i = 0; i < 400'000; ++i) {
    put(0b10100011, 8);  // length 258 is 11000101
    put(0, 5);           // distance 1
  }
  stream += "\0\0\0\0";
  const std::int64_t before = peak_memory();
  const std::string bytes = png_header(8, 8) + chunk("IDAT", stream) + chunk("IEND", "");
  CHECK_THAT(message_of(bytes), Contains("cannot be decoded") || Contains("memory"));
  CHECK(peak_memory() - before < 64'000'000);
}

TEST_CASE("what has crashed, hung or slipped through") {
  // stb_image gives no reason for this one.
  CHECK_THAT(message_of(std::string("\xff\xd8\xff\xdb\0\x03\0\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0", 20)),
             Contains("file: "));
  // The header that is checked must be the one that is decoded.
  std::string apple = read_text_file(golden + "colour.png");
  apple.insert(8, chunk("CgBI", std::string(4, '\0')));
  CHECK_THAT(message_of(apple), Contains("CgBI"));
  std::string late = read_text_file(golden + "colour.png");
  late.insert(8, chunk("tEXt", "a"));
  CHECK_THAT(message_of(late), Contains("does not begin with its header"));
  // A table of 4080 codes.
  const std::string table = "\xff\xc4" + big(19, 2) + std::string(1, '\0') + std::string(16, '\xff');
  CHECK_THAT(message_of("\xff\xd8" + table + jpeg_of(0xc0, 1, 1, "\xff\xd9").substr(2)), Contains("Huffman"));
  // Scans of a few bytes, each of which is a walk over all pixels.
  std::string many;
  for (int i = 0; i < 200; ++i) many += dc_scan;
  CHECK_THAT(message_of(jpeg_of(0xc2, 100, 100, many + "\xff\xd9")), Contains("scans"));
  CHECK_THAT(message_of(jpeg_of(0xc0, 1, 1, jpeg_of(0xc0, 9999, 9999, "\xff\xd9").substr(2))), Contains("two frame"));
}

TEST_CASE("the limit of pixels can be set") {
  const std::string png = read_text_file(golden + "colour.png");  // 32 x 24
  CHECK_NOTHROW(decode_image("fits", png, {.max_pixels = 768}));
  CHECK_THAT(message_of(png, {.max_pixels = 767}), Contains("the limit is 767 pixels"));
  CHECK_THAT(message_of(png, {.max_pixels = 0}), Contains("a limit of 0"));
  for (const char* name : {"colour.heic", "colour.avif", "lossy.webp"})
    CHECK_THAT(message_of(read_text_file(golden + name), {.max_pixels = 767}),
               Contains("the limit is 767") || Contains("built without"));
}

}  // namespace glimpse::test
