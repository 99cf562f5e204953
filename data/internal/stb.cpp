// The bodies of stb_image and stb_image_write, this once. Memory in, memory out: files are read and written by
// engine/io/file.h. Formats that are told by guesses (TGA) or that no photograph uses stay out.
#include <algorithm>
#include <cstring>

#include "glimpse/data/internal/jpeg_arithmetic.h"
#include "glimpse/data/internal/stb_load.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_NO_STDIO
#define STBI_WRITE_NO_STDIO
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_FAILURE_USERMSG

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image.h>
#include <stb_image_write.h>
#pragma GCC diagnostic pop

namespace glimpse {
namespace {

/// Feeds stb_image and notes when it asks for bytes past the end: it would go on with zeros and return a picture whose
/// rest is grey.
struct Source {
  std::string_view bytes;
  std::size_t at = 0;
  bool past_end = false;

  static int read(void* self, char* target, int wanted) {
    Source& source = *static_cast<Source*>(self);
    const std::size_t count = std::min(static_cast<std::size_t>(wanted), source.bytes.size() - source.at);
    if (count == 0 && wanted > 0) source.past_end = true;
    std::memcpy(target, source.bytes.data() + source.at, count);
    source.at += count;
    return static_cast<int>(count);
  }
  static void skip(void* self, int count) {
    Source& source = *static_cast<Source*>(self);
    const std::int64_t target = static_cast<std::int64_t>(source.at) + count;
    source.at =
        static_cast<std::size_t>(std::clamp<std::int64_t>(target, 0, static_cast<std::int64_t>(source.bytes.size())));
  }
  static int eof(void* self) {
    const Source& source = *static_cast<const Source*>(self);
    return source.at >= source.bytes.size();
  }
};

/// stb_image's JPEG decoder with libjpeg's arithmetic in place of its own.
stbi_uc* load_jpeg(stbi__context& context, StbPixels& pixels) {
  const std::unique_ptr<stbi__jpeg, void (*)(void*)> decoder(static_cast<stbi__jpeg*>(stbi__malloc(sizeof(stbi__jpeg))),
                                                             stbi_image_free);
  if (!decoder) return nullptr;
  std::memset(decoder.get(), 0, sizeof(stbi__jpeg));
  decoder->s = &context;
  stbi__setup_jpeg(decoder.get());
  decoder->idct_block_kernel = jpeg::inverse_dct;
  decoder->YCbCr_to_RGB_kernel = jpeg::to_rgb;
  decoder->resample_row_hv_2_kernel = jpeg::upsample_2x2;
  return load_jpeg_image(decoder.get(), &pixels.width, &pixels.height, &pixels.channels, 0);
}

}  // namespace

StbPixels stb_load(std::string_view bytes) {
  Source source{bytes};
  stbi_io_callbacks callbacks{Source::read, Source::skip, Source::eof};
  stbi__context context;
  stbi__start_callbacks(&context, &callbacks, &source);
  StbPixels pixels;
  stbi_uc* const data = stbi__jpeg_test(&context) ? load_jpeg(context, pixels)
                                                  : stbi__load_and_postprocess_8bit(
                                                        &context, &pixels.width, &pixels.height, &pixels.channels, 0);
  pixels.data = {data, stbi_image_free};
  pixels.truncated = source.past_end;
  if (!pixels.data) pixels.failure = stbi_failure_reason();
  return pixels;
}

}  // namespace glimpse
