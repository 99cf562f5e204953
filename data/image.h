#pragma once
// Photographs: reading, resizing, writing.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// Eight bits per channel, rows from the top, no padding.
struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  ///< (height, width, 3)
};

/// Images with more pixels are refused before anything is decoded (the limit at which Pillow sees an attack).
inline constexpr std::int64_t max_image_pixels = 178'956'970;

/// Reads JPEG (grey, colour, and CMYK with Adobe's marker), PNG (any depth: 16 bits keep their upper 8), BMP and GIF
/// (first frame). What is transparent lies on white. EXIF orientation and colour profiles are ignored, as training sets
/// do. Throws Error "path: reason": missing, a folder, not readable, empty, no known format, truncated, more than
/// max_image_pixels. Serial; may be called from many threads.
Image read_image(const std::string& path);
/// The same from a file's bytes; `name` stands in the error.
Image decode_image(const std::string& name, std::string_view bytes);
/// Throws what read_image would throw, as far as the header shows it; pixels that are missing do not.
void check_image_header(const std::string& path);

/// Writes a PNG under a temporary name, then renames. Throws Error naming the path.
void write_png(const std::string& path, const Image& image);

/// Resampled with a triangle filter whose width grows with the reduction, so that nothing aliases; enlarging is plain
/// bilinear. Two passes, rounded to 8 bits after each, as Pillow's Image.resize(BILINEAR). The aspect ratio is the
/// caller's matter. Throws Error for sizes < 1. Parallel over rows; the result does not depend on the number of
/// threads.
Image resize(const Image& image, int width, int height);

/// What a network sees: the image squashed to size x size, (x / 255 - mean) / std per channel. -> (3,size,size) f32.
Tensor to_tensor(const Image& image, int size, const std::array<float, 3>& mean, const std::array<float, 3>& std);
/// The same into existing memory y (3,size,size).
void to_planes(const Image& image, int size, const std::array<float, 3>& mean, const std::array<float, 3>& std,
               float* y);

}  // namespace glimpse
