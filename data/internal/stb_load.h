#pragma once
// Decoding by stb_image.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace glimpse {

/// What stb_image makes of a file's bytes.
struct StbPixels {
  std::unique_ptr<std::uint8_t, void (*)(void*)> data{nullptr, nullptr};  ///< (height,width,channels); null: failed
  int width = 0, height = 0, channels = 0;
  bool truncated = false;  ///< it asked for bytes past the end
  std::string failure;     ///< its reason
};
StbPixels stb_load(std::string_view bytes);

}  // namespace glimpse
