#include "glimpse/data/data_uri.h"

#include <stb_image_write.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "glimpse/kernels/base/check.h"

namespace glimpse {

std::string base64(std::span<const std::uint8_t> bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t present = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < present ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += k <= present ? digits[group >> (18 - 6 * k) & 63u] : '=';
  }
  return text;
}

std::string data_uri(const Image& image, int longest) {
  const auto expected = static_cast<std::size_t>(std::max(image.width, 0)) * std::max(image.height, 0) * 3;
  check(image.width >= 1 && image.height >= 1 && image.rgb.size() == expected && longest >= 1,
        "data_uri: an image of {} x {} with {} bytes, to be drawn {} long", image.width, image.height, image.rgb.size(),
        longest);
  const double scale = static_cast<double>(longest) / std::max(image.width, image.height);
  const auto scaled = [&](int size) { return std::max(1, static_cast<int>(std::lround(size * scale))); };
  const Image small = scale < 1 ? resize(image, scaled(image.width), scaled(image.height)) : image;
  std::vector<std::uint8_t> bytes;
  const auto append = [](void* to, void* data, int size) {
    const auto* first = static_cast<const std::uint8_t*>(data);
    static_cast<std::vector<std::uint8_t>*>(to)->insert(static_cast<std::vector<std::uint8_t>*>(to)->end(), first,
                                                        first + size);
  };
  // A small picture is shown enlarged; above 90 stb keeps colours at full resolution.
  const int quality = std::max(small.width, small.height) <= 200 ? 95 : 86;
  check(stbi_write_jpg_to_func(append, &bytes, small.width, small.height, 3, small.rgb.data(), quality) != 0,
        "data_uri: an image of {} x {} cannot be encoded as JPEG", small.width, small.height);
  return "data:image/jpeg;base64," + base64(bytes);
}

}  // namespace glimpse
