#pragma once
// What the first bytes of an image file say.

#include <cstdint>
#include <string_view>

namespace glimpse {

struct ImageHeader {
  enum class Format : std::uint8_t { jpeg, png, bmp, gif };
  Format format;
  std::int64_t width = 0, height = 0;
  int components = 0;         ///< JPEG only
  bool adobe_marker = false;  ///< JPEG only: says how four components are to be read
};

/// Recognises the format and reads the size. Throws Error that gives the reason alone, without a name.
ImageHeader read_image_header(std::string_view bytes);

}  // namespace glimpse
