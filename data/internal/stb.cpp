// The bodies of stb_image and stb_image_write, this once. Memory in, memory out: files are read and written by
// engine/io/file.h. Formats that are told by guesses (TGA) or that no photograph uses stay out.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "glimpse/data/internal/codecs.h"
#include "glimpse/data/internal/jpeg_arithmetic.h"
#include "glimpse/kernels/base/check.h"

namespace {

/// Memory that stb_image may still take on this thread: what a file's streams unfold to is not known before.
thread_local std::size_t allowance = 0;
thread_local bool refused = false;

/// Before each block stands its size.
constexpr std::size_t size_space = alignof(std::max_align_t);

void* limited_malloc(std::size_t size) {
  refused = refused || size > allowance;
  if (size > allowance) return nullptr;
  char* const block = static_cast<char*>(std::malloc(size + size_space));
  if (!block) return nullptr;
  allowance -= size;
  std::memcpy(block, &size, sizeof size);
  return block + size_space;
}

void limited_free(void* memory) {
  if (!memory) return;
  char* const block = static_cast<char*>(memory) - size_space;
  std::size_t size;
  std::memcpy(&size, block, sizeof size);
  allowance += size;
  std::free(block);
}

void* limited_realloc(void* memory, std::size_t old_size, std::size_t size) {
  void* const larger = limited_malloc(size);
  if (larger && memory) std::memcpy(larger, memory, std::min(old_size, size));
  if (larger) limited_free(memory);
  return larger;
}

}  // namespace

#define STBI_MALLOC limited_malloc
#define STBI_REALLOC_SIZED limited_realloc
#define STBI_FREE limited_free
#define STBIW_MALLOC std::malloc
#define STBIW_REALLOC std::realloc
#define STBIW_FREE std::free
#ifdef GLIMPSE_HAVE_ZLIB
#define STBIW_ZLIB_COMPRESS glimpse::deflate_by_zlib
#endif
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

/// What stb_image made of a file.
struct Pixels {
  std::unique_ptr<std::uint8_t, void (*)(void*)> data{nullptr, stbi_image_free};  // (height,width,channels)
  int width = 0, height = 0, channels = 0;
};

/// stb_image's JPEG decoder with libjpeg's arithmetic in place of its own.
stbi_uc* load_jpeg(stbi__context& context, Pixels& pixels) {
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

/// The most that a file may make stb_image ask for: a PNG of 16 bits with alpha is 8 bytes a pixel while it is unpacked
/// and 8 again after it, and a buffer that was guessed too small grows to twice its size beside the old one.
std::size_t most_memory(const EncodedImage& file) {
  const std::int64_t may = 32 * file.header.width * file.header.height + 4 * std::ssize(file.bytes) + (1 << 22);
  return static_cast<std::size_t>(std::min(may, file.max_bytes));
}

}  // namespace

Image decode_by_stb(const EncodedImage& file) {
  Source source{file.bytes};
  stbi_io_callbacks callbacks{Source::read, Source::skip, Source::eof};
  stbi__context context;
  stbi__start_callbacks(&context, &callbacks, &source);
  const std::size_t most = allowance = most_memory(file);
  refused = false;
  stbi__g_failure_reason = nullptr;  // some failures set none
  Pixels pixels;
  pixels.data.reset(file.header.format == ImageFormat::jpeg
                        ? load_jpeg(context, pixels)
                        : static_cast<stbi_uc*>(stbi__load_and_postprocess_8bit(&context, &pixels.width, &pixels.height,
                                                                                &pixels.channels, 0)));
  check(!source.past_end, "truncated after {} bytes", file.bytes.size());
  if (!pixels.data) {
    check(!refused, "damaged, or needs more than {} MB of memory", most / 1'000'000);
    fail("cannot be decoded: {}", stbi_failure_reason() ? stbi_failure_reason() : "damaged");
  }
  return on_white(pixels.data.get(), pixels.width, pixels.height, pixels.channels);
}

}  // namespace glimpse
