#pragma once
// Binary data inside text.

#include <cstdint>
#include <span>
#include <string>

#include "glimpse/data/image.h"

namespace glimpse {

/// Base64 with padding (RFC 4648, section 4).
std::string base64(std::span<const std::uint8_t> bytes);

/// A picture as a value for `<img src>`: reduced to at most `longest` pixels on its longer side, as a JPEG. Throws
/// Error for an image without pixels.
std::string data_uri(const Image& image, int longest);

}  // namespace glimpse
