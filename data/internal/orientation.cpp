// Turning pictures upright (CIPA DC-008, 4.6.4, tag Orientation).
#include <algorithm>

#include "glimpse/data/image.h"

namespace glimpse {
namespace {

void flip_rows(Image& image) {
  const std::ptrdiff_t stride = std::ptrdiff_t{3} * image.width;
  for (int y = 0; y < image.height / 2; ++y)
    std::swap_ranges(image.rgb.begin() + y * stride, image.rgb.begin() + (y + 1) * stride,
                     image.rgb.begin() + (image.height - 1 - y) * stride);
}

void flip_columns(Image& image) {
  const std::ptrdiff_t stride = std::ptrdiff_t{3} * image.width;
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* const row = image.rgb.data() + y * stride;
    for (int x = 0; x < image.width / 2; ++x)
      std::swap_ranges(row + 3 * x, row + 3 * x + 3, row + 3 * (image.width - 1 - x));
  }
}

/// Rows become columns.
Image transposed(const Image& image) {
  Image turned{image.height, image.width, std::vector<std::uint8_t>(image.rgb.size())};
  constexpr int tile = 32;  // so that both pictures' lines stay in the cache
  const auto turn_tile = [&](int first_x, int first_y) {
    for (int y = first_y; y < std::min(first_y + tile, image.height); ++y)
      for (int x = first_x; x < std::min(first_x + tile, image.width); ++x)
        std::copy_n(image.rgb.begin() + 3 * (std::ptrdiff_t{y} * image.width + x), 3,
                    turned.rgb.begin() + 3 * (std::ptrdiff_t{x} * image.height + y));
  };
  for (int y = 0; y < image.height; y += tile)
    for (int x = 0; x < image.width; x += tile) turn_tile(x, y);
  return turned;
}

}  // namespace

Image upright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  if (orientation > 4) image = transposed(image);
  if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7) flip_columns(image);
  if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8) flip_rows(image);
  return image;
}

}  // namespace glimpse
