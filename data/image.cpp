#include "glimpse/data/image.h"

#define STBI_WRITE_NO_STDIO
#include <stb_image_write.h>

#include <algorithm>
#include <cstring>

#include "glimpse/data/internal/image_header.h"
#include "glimpse/data/internal/stb_load.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

void check_header(std::string_view bytes) {
  const ImageHeader header = read_image_header(bytes);
  check(header.width > 0 && header.height > 0, "{} x {} pixels", header.width, header.height);
  check(header.width <= max_image_pixels && header.height <= max_image_pixels / header.width,
        "{} x {} pixels, the limit is {} pixels in all", header.width, header.height, max_image_pixels);
  check(header.components != 4 || header.adobe_marker,
        "JPEG with four components but without Adobe's marker: no one knows what they mean; convert it to RGB");
}

/// What is transparent lies on white.
Image to_rgb(const std::uint8_t* pixels, int width, int height, int channels) {
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

Image decode(std::string_view bytes) {
  check_header(bytes);
  const StbPixels pixels = stb_load(bytes);
  check(!pixels.truncated, "truncated after {} bytes", bytes.size());
  check(pixels.data != nullptr, "cannot be decoded: {}", pixels.failure);
  return to_rgb(pixels.data.get(), pixels.width, pixels.height, pixels.channels);
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

}  // namespace

Image decode_image(const std::string& name, std::string_view bytes) {
  return named(name, [&] { return decode(bytes); });
}

Image read_image(const std::string& path) { return decode_image(path, read_text_file(path)); }

void check_image_header(const std::string& path) {
  const std::string bytes = read_text_file(path);
  named(path, [&] { check_header(bytes); });
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
