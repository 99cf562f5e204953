#pragma once
// The decoders, each behind one function. All but stb_image are optional.

#include <cstdint>
#include <mutex>
#include <string_view>

#include "glimpse/data/image.h"
#include "glimpse/data/internal/image_header.h"

namespace glimpse {

/// A file to decode, whose header was read and found to be within limits.
struct EncodedImage {
  std::string_view bytes;
  const ImageHeader& header;
  std::int64_t max_pixels = max_image_pixels;
  std::int64_t max_bytes = 0;  ///< memory that decoding may take
  int least_side = 0;          ///< > 0: may be reduced while both sides stay at least so long
  bool as_stored = false;      ///< HEIF: leaves out the turns that the file asks for
};

// As it is stored, not turned (HEIF: turned as its file says). What is transparent lies on white. Throw Error that
// gives the reason alone.

Image decode_by_stb(const EncodedImage& file);      ///< JPEG, PNG, BMP, GIF
Image decode_by_libjpeg(const EncodedImage& file);  ///< JPEG, reduced where it may be
Image decode_by_libwebp(const EncodedImage& file);  ///< WebP, of animations the first frame
Image decode_by_libheif(const EncodedImage& file);  ///< HEIF and AVIF, the primary picture

/// Of zlib, for stb_image_write and called as it does: the result is freed by std::free, null where there is no memory.
/// `quality` is not used.
unsigned char* deflate_by_zlib(unsigned char* bytes, int count, int* written, int quality);

/// Held while a picture is decoded that takes more than 128 MB: many at once would take all memory.
std::unique_lock<std::mutex> alone_if_large(std::int64_t pixels);

/// What a pixel with `channels` (1: grey, 2: grey and alpha, 3: RGB, 4: RGB and alpha) looks like on white.
Image on_white(const std::uint8_t* pixels, int width, int height, int channels);

/// What was built in.
extern const bool have_libjpeg, have_libwebp, have_libheif;

}  // namespace glimpse
