#pragma once
// What happens to a photograph before an encoder sees it.

#include <array>

namespace glimpse {

/// The image is squashed to size x size (antialiased), its RGB values divided by 255, less `mean`, divided by `std`.
/// The default is that of torchvision's ImageNet networks.
struct Preprocessing {
  int size = 224;
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};
};

}  // namespace glimpse
