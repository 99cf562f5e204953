#include "glimpse/models/encoder/families/convnext.h"

#include <array>
#include <map>

namespace glimpse {
namespace {

/// A depthwise convolution, and an expansion by four at each place, added to what came in.
int block(NetworkBuilder& b, const std::string& name, int input) {
  const std::int64_t width = b.shape(input).channels;
  const Conv2dOptions depthwise = same_size(7, 1, b.dilation(), static_cast<int>(width));
  int x = b.convolution(name + ".block.0", input, width, 7, depthwise, true);
  x = b.layer_norm(name + ".block.2", x);
  x = b.gelu(b.linear(name + ".block.3", x, 4 * width));
  x = b.linear(name + ".block.5", x, width);
  return b.add(b.channel_scale(name + ".layer_scale", x), input);
}

/// To the next width on a grid of half the size. Where the stride is traded for dilation, each place sees the pixels
/// that it would have seen, and the grid is filled up below and to the right.
int downsample(NetworkBuilder& b, const std::string& name, int x, std::int64_t width) {
  x = b.layer_norm(name + ".0", x);
  const int dilation = b.dilation();
  const bool halved = b.halve(x);
  return b.convolution(name + ".1", x, width, 2,
                       {.stride = halved ? 2 : 1, .dilation = dilation, .extra_padding = halved ? 0 : dilation}, true);
}

}  // namespace

Network convnext(NetworkBuilder b, const std::string& size) {
  struct Sizes {
    std::array<int, 4> blocks;
    std::int64_t width;
  };
  static const std::map<std::string, Sizes> sizes{{"tiny", {{3, 3, 9, 3}, 96}},
                                                  {"small", {{3, 3, 27, 3}, 96}},
                                                  {"base", {{3, 3, 27, 3}, 128}},
                                                  {"large", {{3, 3, 27, 3}, 192}}};
  const Sizes& chosen = sizes.at(size);
  int number = 0;
  const auto begin = [&] {
    const std::string name = "features." + std::to_string(number++);
    b.begin_stage(name);
    return name;
  };
  const std::string stem = begin();
  int x = b.convolution(stem + ".0", b.image(), chosen.width, 4, {.stride = 4}, true);
  x = b.layer_norm(stem + ".1", x);
  std::int64_t width = chosen.width;
  for (const int blocks : chosen.blocks) {
    if (width > chosen.width) x = downsample(b, begin(), x, width);
    const std::string name = begin();
    for (int i = 0; i < blocks; ++i) x = block(b, name + "." + std::to_string(i), x);
    width *= 2;
  }
  return b.finish("features.7");
}

}  // namespace glimpse
