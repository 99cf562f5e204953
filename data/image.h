#pragma once
// Photographs: reading, resizing, writing.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glimpse/engine/tensor.h"
#include "glimpse/kernels/base/choice.h"

namespace glimpse {

/// Eight bits per channel, rows from the top, no padding.
struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  ///< (height, width, 3)
};

/// Images with more pixels are refused before anything is decoded (the limit at which Pillow sees an attack).
inline constexpr std::int64_t max_image_pixels = 178'956'970;

/// Which way up a photograph is read.
enum class Orientation : std::uint8_t {
  exif,   ///< as its EXIF data (HEIF: its transformations) say that it was taken
  stored  ///< as its rows are stored, and JPEG always decoded at full size: what Glimpse did before it knew EXIF
};
constexpr auto choices(Orientation) {
  return std::array{Choice{Orientation::exif, "exif"}, Choice{Orientation::stored, "stored"}};
}

struct ImageOptions {
  Orientation orientation = Orientation::exif;
  /// > 0: the picture is resized to squash x squash while it is read. A JPEG whose sides are both at least 4 squash is
  /// decoded at a half, a quarter or an eighth of its size, at which they are still at least 2 squash (libjpeg-turbo
  /// only). Pixels then differ from those of the full way by less than a level on average.
  int squash = 0;
  std::int64_t max_pixels =
      max_image_pixels;  ///< larger ones are refused; decoding takes 8 bytes a pixel of it at most
  int view = 0;          ///< which view of the picture (image_views.h): taken before it is resized, mirrored after
};

/// Reads JPEG (grey, colour, and CMYK with Adobe's marker), PNG (any depth: 16 bits keep their upper 8), BMP and GIF
/// (first frame); where their libraries were built in also WebP (first frame), HEIF and AVIF (primary picture), and
/// JPEG with arithmetic coding. What is transparent lies on white. Colour profiles are ignored, as training sets do.
/// Throws Error "path: reason": missing, no regular file, not readable, empty, no known format, truncated, damaged,
/// more than max_pixels, and where a file of its size cannot hold so many pixels. May be called from many threads; of
/// pictures that take more than 128 MB one is decoded at a time.
Image read_image(const std::string& path, const ImageOptions& options = {});
/// The same from a file's bytes; `name` stands in the error.
Image decode_image(const std::string& name, std::string_view bytes, const ImageOptions& options = {});
/// Throws what read_image would throw, as far as the header shows it; pixels that are missing do not.
void check_image_header(const std::string& path, const ImageOptions& options = {});

/// A kind of picture by the names of its files.
struct ImageKind {
  const char* name;                     ///< "HEIF"
  std::vector<std::string> extensions;  ///< ".heic", ... in lower case
  const char* missing_library;          ///< null where it can be read, else the library that was not built in
};
/// All that pictures may be, also those that cannot be read here.
const std::vector<ImageKind>& image_kinds();

/// Writes a PNG under a temporary name, then renames. Throws Error naming the path.
void write_png(const std::string& path, const Image& image);

/// Resampled with a triangle filter whose width grows with the reduction, so that nothing aliases; enlarging is plain
/// bilinear. Two passes, rounded to 8 bits after each, as Pillow's Image.resize(BILINEAR). The aspect ratio is the
/// caller's matter. Throws Error for sizes < 1. Parallel over rows; the result does not depend on the number of
/// threads.
Image resize(const Image& image, int width, int height);

/// The picture that EXIF orientation `orientation` (1 to 8; others are as 1) makes of the stored one: 6 is turned right
/// by a quarter.
Image upright(Image image, int orientation);

/// What a network sees: the image squashed to size x size, (x / 255 - mean) / std per channel. -> (3,size,size) f32.
Tensor to_tensor(const Image& image, int size, const std::array<float, 3>& mean, const std::array<float, 3>& std);
/// The same into existing memory y (3,size,size).
void to_planes(const Image& image, int size, const std::array<float, 3>& mean, const std::array<float, 3>& std,
               float* y);

}  // namespace glimpse
