#pragma once
// What an image file says of itself before anything is decoded.

#include <cstdint>
#include <string_view>

namespace glimpse {

enum class ImageFormat : std::uint8_t { jpeg, png, bmp, gif, webp, heif, avif, tiff };

struct ImageHeader {
  ImageFormat format;
  std::int64_t width = 0,
               height = 0;       ///< as stored, before it is turned; 0 where only the library can say (HEIF, TIFF)
  int orientation = 1;           ///< EXIF's 1 to 8
  std::int64_t least_bytes = 0;  ///< no file of this format with so many pixels is shorter
  bool arithmetic = false;       ///< JPEG only: coded so, which stb_image does not read
  int components = 0;            ///< JPEG only
  bool adobe_marker = false;     ///< JPEG only: says how four components are to be read
};

/// Recognises the format and reads size and orientation. Throws Error that gives the reason alone, without a name; it
/// never shows bytes of a file that is no image.
ImageHeader read_image_header(std::string_view bytes);

/// Big-endian or little-endian number of `count` bytes. Throws Error when the file ends before.
std::int64_t read_number(std::string_view bytes, std::size_t offset, std::size_t count, bool big_endian);

/// Of a JPEG, which must begin as one: walks all its segments (ITU-T T.81, annex B).
ImageHeader read_jpeg_header(std::string_view bytes);

/// Pixels of the largest picture that the streams of a HEIF or AVIF file hold, or of a canvas for several; 0 where
/// there is none of AV1 or HEVC. Throws Error for broken boxes.
std::int64_t largest_heif_picture(std::string_view file);

/// The orientation in a block of EXIF (a TIFF file of its own, with or without "Exif\0\0" before it): 1 where it has
/// none or is damaged, as other readers do.
int exif_orientation(std::string_view exif);

}  // namespace glimpse
