#pragma once
// What happens to a photograph before an encoder sees it.

#include <array>

#include "glimpse/data/image.h"

namespace glimpse {

/// The image is turned upright (unless `orientation` says otherwise), squashed to size x size (antialiased), its RGB
/// values divided by 255, less `mean`, divided by `std`. The default is that of torchvision's ImageNet networks.
struct Preprocessing {
  int size = 224;
  Orientation orientation = Orientation::exif;
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};

  /// How a photograph is read for this: already squashed, so that it is never held whole longer than that takes.
  ImageOptions reading(std::int64_t max_pixels = max_image_pixels) const { return {orientation, size, max_pixels}; }
};

}  // namespace glimpse
