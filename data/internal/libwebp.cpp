// WebP by libwebp.
#include "glimpse/data/internal/codecs.h"
#include "glimpse/kernels/base/check.h"

#ifdef GLIMPSE_HAVE_LIBWEBP
#include <webp/decode.h>

#include <algorithm>
#include <string>

namespace glimpse {

const bool have_libwebp = true;

namespace {

/// The first frame of an animation (RFC 9649, 2.7.1.1): a canvas with one picture on it, as a WebP of its own. Empty
/// where the file holds none.
struct Frame {
  std::string file;
  int x = 0, y = 0;
};

Frame first_frame(std::string_view bytes) {
  Frame frame;
  const auto number = [&](std::size_t at, std::size_t count) { return read_number(bytes, at, count, false); };
  for (std::size_t at = 12; at + 8 <= bytes.size();) {
    const auto length = static_cast<std::size_t>(number(at + 4, 4));
    if (bytes.substr(at, 4) == "ANMF") {
      check(length > 16, "broken WebP: an empty frame");
      frame.x = static_cast<int>(2 * number(at + 8, 3));
      frame.y = static_cast<int>(2 * number(at + 11, 3));
      check(at + 8 + length <= bytes.size(), "truncated after {} bytes", bytes.size());
      const std::string_view content = bytes.substr(at + 24, length - 16);
      std::uint32_t size = static_cast<std::uint32_t>(content.size() + 4);
      const bool alpha = content.starts_with("ALPH");
      std::string extended;  // alpha needs the extended form, which repeats the size
      if (alpha) {
        extended = std::string("VP8X\x0a\0\0\0\x10\0\0\0", 12) + std::string(bytes.substr(at + 14, 6));
        size += static_cast<std::uint32_t>(extended.size());
      }
      frame.file = "RIFF";
      for (int shift = 0; shift < 32; shift += 8) frame.file += static_cast<char>(size >> shift & 255);
      frame.file += "WEBP" + extended;
      frame.file += content;
      return frame;
    }
    at += 8 + length + length % 2;
  }
  return frame;
}

struct Rgba {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
};

Rgba decode_still(std::string_view bytes, const EncodedImage& file) {
  WebPBitstreamFeatures features;
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const VP8StatusCode status = WebPGetFeatures(data, bytes.size(), &features);
  check(status != VP8_STATUS_NOT_ENOUGH_DATA, "truncated after {} bytes", file.bytes.size());
  check(status == VP8_STATUS_OK, "cannot be decoded: damaged WebP");
  Rgba image{features.width, features.height, {}};
  const std::int64_t pixels = std::int64_t{image.width} * image.height;
  check(pixels <= file.max_pixels && pixels * 8 <= file.max_bytes, "{} x {} pixels in one frame", image.width,
        image.height);
  image.pixels.resize(4 * pixels);
  WebPDecoderConfig config;
  check(WebPInitDecoderConfig(&config) != 0, "cannot be decoded: another libwebp than at build time");
  config.output.colorspace = MODE_RGBA;
  config.output.u.RGBA = {image.pixels.data(), 4 * image.width, image.pixels.size()};
  config.output.is_external_memory = 1;
  const VP8StatusCode result = WebPDecode(data, bytes.size(), &config);
  check(result != VP8_STATUS_NOT_ENOUGH_DATA && result != VP8_STATUS_SUSPENDED, "truncated after {} bytes",
        file.bytes.size());
  check(result == VP8_STATUS_OK, "cannot be decoded: damaged WebP");
  return image;
}

}  // namespace

Image decode_by_libwebp(const EncodedImage& file) {
  const std::int64_t said = read_number(file.bytes, 4, 4, false);
  check(said + 8 <= std::ssize(file.bytes), "truncated after {} bytes", file.bytes.size());
  const Frame frame = first_frame(file.bytes);
  const Rgba picture = decode_still(frame.file.empty() ? file.bytes : std::string_view(frame.file), file);
  const auto width = static_cast<int>(file.header.width), height = static_cast<int>(file.header.height);
  if (picture.width == width && picture.height == height) return on_white(picture.pixels.data(), width, height, 4);
  check(!frame.file.empty() && frame.x + picture.width <= width && frame.y + picture.height <= height,
        "broken WebP: a picture of {} x {} pixels on one of {} x {}", picture.width, picture.height, width, height);
  const Image part = on_white(picture.pixels.data(), picture.width, picture.height, 4);
  Image image{width, height,
              std::vector<std::uint8_t>(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height), 255)};
  for (int y = 0; y < part.height; ++y)
    std::copy_n(part.rgb.begin() + std::ptrdiff_t{3} * y * part.width, 3 * part.width,
                image.rgb.begin() + 3 * (std::ptrdiff_t{y + frame.y} * width + frame.x));
  return image;
}

}  // namespace glimpse

#else

namespace glimpse {
const bool have_libwebp = false;
Image decode_by_libwebp(const EncodedImage&) { fail("WebP: this Glimpse was built without libwebp"); }
}  // namespace glimpse

#endif
