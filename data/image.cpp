#include "glimpse/data/image.h"

#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "glimpse/data/image_views.h"
#include "glimpse/data/internal/codecs.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// Memory that decoding may take for each pixel of the limit, and besides; from where on pictures are decoded one at a
/// time.
constexpr std::int64_t bytes_a_pixel = 8, spare_bytes = 16'000'000, large_bytes = 128'000'000;

ImageHeader checked_header(std::string_view bytes, const ImageOptions& options) {
  check(options.max_pixels > 0, "a limit of {} pixels", options.max_pixels);
  const ImageHeader header = read_image_header(bytes);
  if (header.format == ImageFormat::heif || header.format == ImageFormat::avif) {
    // libheif says how large the picture is; what its streams say decides how much memory is taken.
    const std::int64_t pixels = largest_heif_picture(bytes);
    check(pixels <= options.max_pixels, "a picture of {} pixels, the limit is {}", pixels, options.max_pixels);
    return header;
  }
  if (header.format == ImageFormat::tiff) return header;
  check(header.width > 0 && header.height > 0, "{} x {} pixels", header.width, header.height);
  check(header.width <= options.max_pixels && header.height <= options.max_pixels / header.width,
        "{} x {} pixels, the limit is {} pixels in all", header.width, header.height, options.max_pixels);
  check(std::ssize(bytes) >= header.least_bytes,
        "truncated or damaged: {} x {} pixels are {} bytes at least, the file has {}", header.width, header.height,
        header.least_bytes, bytes.size());
  check(header.components != 4 || header.adobe_marker,
        "JPEG with four components but without Adobe's marker: no one knows what they mean; convert it to RGB");
  return header;
}

Image decode_stored(const EncodedImage& file) {
  switch (file.header.format) {
    case ImageFormat::jpeg:
      return have_libjpeg || file.header.arithmetic ? decode_by_libjpeg(file) : decode_by_stb(file);
    case ImageFormat::webp:
      return decode_by_libwebp(file);
    case ImageFormat::heif:
    case ImageFormat::avif:
      return decode_by_libheif(file);
    case ImageFormat::tiff:
      fail("TIFF is not supported; convert it to PNG or JPEG");
    default:
      return decode_by_stb(file);
  }
}

Image decode(std::string_view bytes, const ImageOptions& options) {
  const ImageHeader header = checked_header(bytes, options);
  const bool stored = options.orientation == Orientation::stored;
  const EncodedImage file{.bytes = bytes,
                          .header = header,
                          .max_pixels = options.max_pixels,
                          .max_bytes = bytes_a_pixel * options.max_pixels + spare_bytes,
                          .least_side = stored ? 0 : 2 * options.squash,
                          .as_stored = stored};
  const std::unique_lock<std::mutex> alone = alone_if_large(header.width * header.height);
  Image image = decode_stored(file);
  if (!stored) image = upright(std::move(image), header.orientation);
  image = part_of(std::move(image), options.view);
  if (options.squash > 0) image = resize(image, options.squash, options.squash);
  return is_mirrored(options.view) ? mirrored(std::move(image)) : image;
}

/// Puts the name before whatever `action` throws.
template <class Action>
auto named(const std::string& name, Action action) {
  try {
    return action();
  } catch (const Error& error) {
    fail("{}: {}", name, error.what());
  }
}

/// The bytes of a file that may be a picture: a device or a pipe might never end.
std::string read_picture_file(const std::string& path, const ImageOptions& options) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status)) {
    check(!std::filesystem::is_directory(status), "{}: is a directory", path);
    check(std::filesystem::is_regular_file(status), "{}: not a regular file", path);
    const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
    check(!error && bytes / bytes_a_pixel <= options.max_pixels, "{}: {} bytes; no picture of {} pixels has so many",
          path, bytes, options.max_pixels);
  }
  return read_text_file(path);
}

}  // namespace

std::unique_lock<std::mutex> alone_if_large(std::int64_t pixels) {
  static std::mutex large_pictures;
  std::unique_lock<std::mutex> lock(large_pictures, std::defer_lock);
  if (pixels * bytes_a_pixel > large_bytes) lock.lock();
  return lock;
}

Image on_white(const std::uint8_t* pixels, int width, int height, int channels) {
  Image image{width, height, {}};
  const std::size_t count = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  const std::size_t step = static_cast<std::size_t>(channels);
  image.rgb.resize(3 * count);
  if (channels == 3) {
    std::memcpy(image.rgb.data(), pixels, 3 * count);
    return image;
  }
  const bool grey = channels < 3, transparent = channels % 2 == 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* pixel = pixels + step * i;
    const unsigned alpha = transparent ? pixel[channels - 1] : 255u;
    for (std::size_t c = 0; c < 3; ++c) {
      const unsigned value = pixel[grey ? 0 : c];
      image.rgb[3 * i + c] = static_cast<std::uint8_t>((value * alpha + 255u * (255u - alpha) + 127u) / 255u);
    }
  }
  return image;
}

Image decode_image(const std::string& name, std::string_view bytes, const ImageOptions& options) {
  return named(name, [&] { return decode(bytes, options); });
}

Image read_image(const std::string& path, const ImageOptions& options) {
  return decode_image(path, read_picture_file(path, options), options);
}

void check_image_header(const std::string& path, const ImageOptions& options) {
  const std::string bytes = read_picture_file(path, options);
  named(path, [&] { checked_header(bytes, options); });
}

const std::vector<ImageKind>& image_kinds() {
  static const std::vector<ImageKind> kinds{{"JPEG", {".jpg", ".jpeg", ".jpe", ".jfif"}, nullptr},
                                            {"PNG", {".png"}, nullptr},
                                            {"BMP", {".bmp", ".dib"}, nullptr},
                                            {"GIF", {".gif"}, nullptr},
                                            {"WebP", {".webp"}, have_libwebp ? nullptr : "libwebp"},
                                            {"HEIF", {".heic", ".heif", ".hif"}, have_libheif ? nullptr : "libheif"},
                                            {"AVIF", {".avif"}, have_libheif ? nullptr : "libheif"},
                                            {"TIFF", {".tif", ".tiff"}, "a reader of TIFF"}};
  return kinds;
}

void write_png(const std::string& path, const Image& image) {
  check(image.width > 0 && image.height > 0 &&
            image.rgb.size() == static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3,
        "{}: cannot write an image of {} x {} pixels with {} values", path, image.width, image.height,
        image.rgb.size());
  std::string bytes;
  const auto append = [](void* target, void* data, int size) {
    static_cast<std::string*>(target)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  check(stbi_write_png_to_func(append, &bytes, image.width, image.height, 3, image.rgb.data(), 3 * image.width) != 0,
        "{}: cannot be encoded as PNG", path);
  write_file_atomically(path, bytes);
}

}  // namespace glimpse
