#include "glimpse/data/image_views.h"

#include <algorithm>
#include <array>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// Where a part lies.
struct Corner {
  const char* name;
  bool right, bottom;
};
constexpr std::array<Corner, 4> corners{{{"top left", false, false},
                                         {"bottom right", true, true},
                                         {"top right", true, false},
                                         {"bottom left", false, true}}};

/// 7/8, rounded.
int shortened(int side) { return std::max((7 * side + 4) / 8, 1); }

}  // namespace

std::string views_text(int count) {
  check(count >= 1 && count <= most_views, "{} views of an image, expected 1 .. {}", count, most_views);
  std::string text;
  for (int view = 1; view < count; ++view) {
    const std::string part = view < 2 ? "" : std::string(corners[view / 2 - 1].name) + " 7/8";
    const char* turned = !is_mirrored(view) ? "" : part.empty() ? "mirrored" : " mirrored";
    text += (view > 1 ? ", " : "") + part + turned;
  }
  return text;
}

int count_views(const std::string& text) {
  return text.empty() ? 1 : 2 + static_cast<int>(std::count(text.begin(), text.end(), ','));
}

Image part_of(Image image, int view) {
  check(view >= 0 && view < most_views, "view {} of an image, expected 0 .. {}", view, most_views - 1);
  if (view < 2) return image;
  const Corner& corner = corners[view / 2 - 1];
  Image part{shortened(image.width), shortened(image.height), {}};
  const std::int64_t left = corner.right ? image.width - part.width : 0;
  const std::int64_t top = corner.bottom ? image.height - part.height : 0;
  for (std::int64_t y = top; y < top + part.height; ++y) {
    const auto row = image.rgb.begin() + 3 * (y * image.width + left);
    part.rgb.insert(part.rgb.end(), row, row + std::int64_t{3} * part.width);
  }
  return part;
}

Image mirrored(Image image) {
  const std::int64_t width = image.width;
  for (std::int64_t y = 0; y < image.height; ++y) {
    std::uint8_t* row = image.rgb.data() + 3 * y * width;
    for (std::int64_t left = 0, right = width - 1; left < right; ++left, --right)
      std::swap_ranges(row + 3 * left, row + 3 * left + 3, row + 3 * right);
  }
  return image;
}

}  // namespace glimpse
