// JPEG by libjpeg-turbo: all that JPEG files in the field are (arithmetic coding, any subsampling, CMYK), its pixels to
// the bit, and large photographs decoded at a half, a quarter or an eighth of their size.
#include "glimpse/data/internal/codecs.h"
#include "glimpse/kernels/base/check.h"

#ifdef GLIMPSE_HAVE_LIBJPEG
#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <string>

#include <jerror.h>
#include <jpeglib.h>

namespace glimpse {

const bool have_libjpeg = true;

namespace {

/// libjpeg leaves by longjmp where something is wrong, over functions of C alone.
struct Errors {
  jpeg_error_mgr manager;
  std::jmp_buf leave;
  bool truncated = false;
  char message[JMSG_LENGTH_MAX] = {};

  static void exit(j_common_ptr info) {
    Errors& self = *reinterpret_cast<Errors*>(info->err);
    info->err->format_message(info, self.message);
    std::longjmp(self.leave, 1);
  }
  static void ignore(j_common_ptr) {}
};

/// The bytes end before the picture: libjpeg's own sources would go on with made-up ones.
boolean at_end(j_decompress_ptr info) {
  reinterpret_cast<Errors*>(info->err)->truncated = true;
  ERREXIT(info, JERR_INPUT_EOF);
  return FALSE;
}

void skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  const std::size_t wanted = static_cast<std::size_t>(count);
  if (wanted > info->src->bytes_in_buffer) at_end(info);
  info->src->next_input_byte += wanted;
  info->src->bytes_in_buffer -= wanted;
}

void nothing(j_decompress_ptr) {}

/// The largest of 1, 2, 4 and 8 by which both sides may be divided.
unsigned reduction(const ImageHeader& header, int least_side) {
  const std::int64_t shorter = std::min(header.width, header.height);
  unsigned divisor = 1;
  while (least_side > 0 && divisor < 8 && shorter / (2 * divisor) >= least_side) divisor *= 2;
  return divisor;
}

struct Decoder {
  jpeg_decompress_struct info;
  jpeg_source_mgr source;
  Errors errors;
  bool created = false;

  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() {
    if (created) jpeg_destroy_decompress(&info);
  }

  /// Up to the size of what will come out. False where it cannot be decoded.
  bool start(const EncodedImage& file, unsigned divisor) {
    info.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = Errors::exit;
    errors.manager.output_message = Errors::ignore;
    if (setjmp(errors.leave)) return false;
    jpeg_create_decompress(&info);
    created = true;
    info.mem->max_memory_to_use = file.max_bytes;
    source = {reinterpret_cast<const JOCTET*>(file.bytes.data()),
              file.bytes.size(),
              nothing,
              at_end,
              skip,
              jpeg_resync_to_restart,
              nothing};
    info.src = &source;
    jpeg_read_header(&info, TRUE);
    info.out_color_space = file.header.components == 4 ? JCS_CMYK : JCS_RGB;
    info.scale_num = 1;
    info.scale_denom = divisor;
    jpeg_start_decompress(&info);
    return true;
  }

  /// Rows of output_width x output_components bytes. False where it cannot be decoded.
  bool read(std::uint8_t* rows) {
    if (setjmp(errors.leave)) return false;
    const std::size_t stride =
        static_cast<std::size_t>(info.output_width) * static_cast<std::size_t>(info.output_components);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = rows + info.output_scanline * stride;
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    return true;
  }
};

/// Adobe's programs store ink upside down: 255 is none.
void inks_to_rgb(const std::uint8_t* inks, std::size_t pixels, std::uint8_t* rgb) {
  for (std::size_t i = 0; i < pixels; ++i)
    for (std::size_t c = 0; c < 3; ++c) {
      const int black = inks[4 * i + 3];
      rgb[3 * i + c] = static_cast<std::uint8_t>(black - ((255 - inks[4 * i + c]) * black + 127) / 255);
    }
}

}  // namespace

Image decode_by_libjpeg(const EncodedImage& file) {
  Decoder decoder;
  const auto succeed = [&](bool good) {
    check(!decoder.errors.truncated, "truncated after {} bytes", file.bytes.size());
    check(good || decoder.errors.manager.msg_code != JERR_NO_BACKING_STORE, "needs more than {} MB of memory",
          file.max_bytes / 1'000'000);
    check(good, "cannot be decoded: {}", decoder.errors.message);
  };
  succeed(decoder.start(file, reduction(file.header, file.least_side)));
  Image image{static_cast<int>(decoder.info.output_width), static_cast<int>(decoder.info.output_height), {}};
  const std::size_t pixels = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
  image.rgb.resize(3 * pixels);
  if (decoder.info.output_components == 3) {
    succeed(decoder.read(image.rgb.data()));
    return image;
  }
  std::vector<std::uint8_t> inks(4 * pixels);
  succeed(decoder.read(inks.data()));
  inks_to_rgb(inks.data(), pixels, image.rgb.data());
  return image;
}

}  // namespace glimpse

#else

namespace glimpse {
const bool have_libjpeg = false;
Image decode_by_libjpeg(const EncodedImage&) {
  fail("JPEG with arithmetic coding: this Glimpse was built without libjpeg-turbo");
}
}  // namespace glimpse

#endif
