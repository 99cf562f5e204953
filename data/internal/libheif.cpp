// HEIF (HEIC) and AVIF by libheif.
#include "glimpse/data/internal/codecs.h"
#include "glimpse/kernels/base/check.h"

#ifdef GLIMPSE_HAVE_LIBHEIF
#include <libheif/heif.h>

#include <memory>

namespace glimpse {

const bool have_libheif = true;

namespace {

template <class T, void (*release)(T*)>
struct Release {
  void operator()(T* thing) const { release(thing); }
};
using Context = std::unique_ptr<heif_context, Release<heif_context, heif_context_free>>;
using Options = std::unique_ptr<heif_decoding_options, Release<heif_decoding_options, heif_decoding_options_free>>;
struct Handle {
  heif_image_handle* handle = nullptr;
  ~Handle() { heif_image_handle_release(handle); }
};
struct Decoded {
  heif_image* image = nullptr;
  ~Decoded() { heif_image_release(image); }
};

void must(const heif_error& error) { check(error.code == heif_error_Ok, "cannot be decoded: {}", error.message); }

}  // namespace

Image decode_by_libheif(const EncodedImage& file) {
  const Context context(heif_context_alloc());
  heif_context_set_max_decoding_threads(context.get(), 0);  // the caller decodes many files at once
  must(heif_context_read_from_memory_without_copy(context.get(), file.bytes.data(), file.bytes.size(), nullptr));
  Handle handle;
  must(heif_context_get_primary_image_handle(context.get(), &handle.handle));
  const std::int64_t wide = heif_image_handle_get_width(handle.handle),
                     high = heif_image_handle_get_height(handle.handle);
  check(wide > 0 && high > 0 && wide <= file.max_pixels / high, "{} x {} pixels, the limit is {} pixels in all", wide,
        high, file.max_pixels);
  const std::unique_lock<std::mutex> alone = alone_if_large(wide * high);
  const Options options(heif_decoding_options_alloc());
  options->ignore_transformations = file.as_stored;
  Decoded decoded;
  const bool alpha = heif_image_handle_has_alpha_channel(handle.handle);
  must(heif_decode_image(handle.handle, &decoded.image, heif_colorspace_RGB,
                         alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, options.get()));
  const int width = heif_image_get_width(decoded.image, heif_channel_interleaved);
  const int height = heif_image_get_height(decoded.image, heif_channel_interleaved);
  int stride = 0;
  const std::uint8_t* const rows = heif_image_get_plane_readonly(decoded.image, heif_channel_interleaved, &stride);
  check(rows && width > 0 && height > 0, "cannot be decoded: no picture");
  Image image{width, height, {}};
  const std::size_t row_bytes = static_cast<std::size_t>(width) * 3;
  image.rgb.reserve(row_bytes * static_cast<std::size_t>(height));
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    const Image row = on_white(rows + y * stride, width, 1, alpha ? 4 : 3);
    image.rgb.insert(image.rgb.end(), row.rgb.begin(), row.rgb.end());
  }
  return image;
}

}  // namespace glimpse

#else

namespace glimpse {
const bool have_libheif = false;
Image decode_by_libheif(const EncodedImage&) { fail("HEIF: this Glimpse was built without libheif"); }
}  // namespace glimpse

#endif
