#include "glimpse/models/encoder/families/mobilenet.h"

namespace glimpse {
namespace {

/// Convolution `name`.0, batch norm `name`.1 and ReLU6.
int convolution_norm_relu(NetworkBuilder& b, const std::string& name, int x, std::int64_t out, int kernel,
                          const Conv2dOptions& options) {
  x = b.convolution(name + ".0", x, out, kernel, options);
  return b.relu6(b.batch_norm(name + ".1", x));
}

/// Widens by `expansion`, filters each channel, and narrows to `out` without an activation.
int inverted_residual(NetworkBuilder& b, const std::string& name, int x, int expansion, std::int64_t out, bool halve) {
  const int input = x;
  const std::int64_t in = b.shape(x).channels, hidden = in * expansion;
  int part = 0;
  const auto next = [&] { return name + ".conv." + std::to_string(part++); };
  if (expansion != 1) x = convolution_norm_relu(b, next(), x, hidden, 1, {});
  const int dilation = b.dilation();  // a stride that is traded dilates what follows, not this convolution
  const int stride = halve && b.halve(x) ? 2 : 1;
  x = convolution_norm_relu(b, next(), x, hidden, 3, same_size(3, stride, dilation, static_cast<int>(hidden)));
  x = b.convolution(next(), x, out, 1, {});
  x = b.batch_norm(next(), x);
  return !halve && in == out ? b.add(x, input) : x;
}

}  // namespace

Network mobilenet_v2(NetworkBuilder builder) {
  struct Group {
    int expansion;
    std::int64_t channels;
    int blocks;
    bool halve;
  };
  constexpr Group groups[] = {{1, 16, 1, false}, {6, 24, 2, true},  {6, 32, 3, true},  {6, 64, 4, true},
                              {6, 96, 3, false}, {6, 160, 3, true}, {6, 320, 1, false}};
  int number = 0;
  const auto begin = [&] {
    const std::string name = "features." + std::to_string(number++);
    builder.begin_stage(name);
    return name;
  };
  int x = convolution_norm_relu(builder, begin(), builder.image(), 32, 3, same_size(3, 2));
  for (const Group& group : groups)
    for (int i = 0; i < group.blocks; ++i)
      x = inverted_residual(builder, begin(), x, group.expansion, group.channels, group.halve && i == 0);
  convolution_norm_relu(builder, begin(), x, 1280, 1, {});
  return builder.finish("features.18");
}

}  // namespace glimpse
