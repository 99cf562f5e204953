#include "glimpse/models/encoder/families/efficientnet.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace glimpse {
namespace {

/// Inverted residuals of one width (paper, table 1, of B0).
struct Group {
  int expansion, kernel;
  bool halve;
  std::int64_t channels;
  int blocks;
};
constexpr std::array<Group, 7> b0_groups{{{1, 3, false, 16, 1},
                                          {6, 3, true, 24, 2},
                                          {6, 5, true, 40, 2},
                                          {6, 3, true, 80, 3},
                                          {6, 5, false, 112, 3},
                                          {6, 5, true, 192, 4},
                                          {6, 3, false, 320, 1}}};

/// How much wider and deeper than B0.
struct Scale {
  double width, depth;

  /// To the nearest multiple of 8, but not by more than a tenth down.
  std::int64_t channels(std::int64_t of_b0) const {
    const double wanted = static_cast<double>(of_b0) * width;
    const std::int64_t nearest = std::max<std::int64_t>(8, static_cast<std::int64_t>(wanted + 4) / 8 * 8);
    return static_cast<double>(nearest) < 0.9 * wanted ? nearest + 8 : nearest;
  }
  int blocks(int of_b0) const { return static_cast<int>(std::ceil(of_b0 * depth)); }
};
constexpr std::array<Scale, 8> scales{
    {{1.0, 1.0}, {1.0, 1.1}, {1.1, 1.2}, {1.2, 1.4}, {1.4, 1.8}, {1.6, 2.2}, {1.8, 2.6}, {2.0, 3.1}}};

constexpr BatchNormOptions tensorflow_norm{.eps = 1e-3, .momentum = 0.01};

/// What a block does to the grid.
struct Step {
  int kernel, stride;
  int dilation;  // of the depthwise convolution
};

/// Asks for the stride of a depthwise convolution; one that is traded dilates what follows, not this convolution.
Step next_step(NetworkBuilder& b, int x, int kernel, bool halve) {
  const int dilation = b.dilation();
  return {kernel, halve && b.halve(x) ? 2 : 1, dilation};
}

class EfficientNet {
 public:
  EfficientNet(NetworkBuilder& builder, const BatchNormOptions& norm) : b_(builder), norm_(norm) {}

  int convolution(const std::string& name, int x, std::int64_t out, int kernel, const Conv2dOptions& options) {
    x = b_.convolution(name + ".0", x, out, kernel, options);
    return b_.batch_norm(name + ".1", x, norm_);
  }

  int block(const std::string& name, int input, const Group& group, std::int64_t out, bool halve) {
    const std::int64_t in = b_.shape(input).channels, hidden = in * group.expansion;
    int x = input, part = 0;
    const auto next = [&] { return name + ".block." + std::to_string(part++); };
    if (group.expansion != 1) x = b_.silu(convolution(next(), x, hidden, 1, {}));
    const Step step = next_step(b_, x, group.kernel, halve);
    x = b_.silu(convolution(next(), x, hidden, step.kernel,
                            same_size(step.kernel, step.stride, step.dilation, static_cast<int>(hidden))));
    x = squeeze_and_excite(next(), x, std::max<std::int64_t>(1, in / 4));
    x = convolution(next(), x, out, 1, {});
    return !halve && in == out ? b_.add(x, input) : x;
  }

 private:
  /// Each channel times a gate in (0,1) that is made from the means of all (arXiv 1709.01507).
  int squeeze_and_excite(const std::string& name, int x, std::int64_t squeezed) {
    int gate = b_.global_average(x);
    gate = b_.silu(b_.convolution(name + ".fc1", gate, squeezed, 1, {}, true));
    gate = b_.sigmoid(b_.convolution(name + ".fc2", gate, b_.shape(x).channels, 1, {}, true));
    return b_.multiply(x, gate);
  }

  NetworkBuilder& b_;
  BatchNormOptions norm_;
};

/// Where TensorFlow's "same" puts the padding of a convolution by `step` of a grid of `size` cells: of an odd number of
/// rows the last lies below. A convolution whose stride was traded for dilation meets the pixels that it would have
/// met.
Conv2dOptions tensorflow_same(std::int64_t size, const Step& step, bool halve, int groups = 1) {
  const std::int64_t cells = (size + step.dilation - 1) / step.dilation;  // of the grid without dilation
  const std::int64_t stride = halve ? 2 : 1;
  const std::int64_t rows =
      std::max<std::int64_t>(0, ((cells + stride - 1) / stride - 1) * stride + step.kernel - cells);
  const auto before = static_cast<int>(step.dilation * (rows / 2));
  const int reach = step.dilation * (step.kernel - 1);
  const int all = step.stride == 1 ? reach : static_cast<int>(rows);
  return {.stride = step.stride,
          .padding = before,
          .dilation = step.dilation,
          .groups = groups,
          .extra_padding = all - 2 * before};
}

int lite_block(NetworkBuilder& b, const std::string& name, int input, const Group& group, std::int64_t out,
               bool halve) {
  const std::int64_t in = b.shape(input).channels, hidden = in * group.expansion;
  const auto norm = [&](const char* part, int x) { return b.batch_norm(name + part, x, tensorflow_norm); };
  int x = input;
  if (group.expansion != 1) x = b.relu6(norm("._bn0", b.convolution(name + "._expand_conv", x, hidden, 1, {})));
  const Step step = next_step(b, x, group.kernel, halve);
  const Conv2dOptions same = tensorflow_same(b.shape(x).height, step, halve, static_cast<int>(hidden));
  x = b.relu6(norm("._bn1", b.convolution(name + "._depthwise_conv", x, hidden, step.kernel, same)));
  x = norm("._bn2", b.convolution(name + "._project_conv", x, out, 1, {}));
  return !halve && in == out ? b.add(x, input) : x;
}

}  // namespace

Network efficientnet(NetworkBuilder b, int size) {
  const Scale scale = scales[size];
  EfficientNet family(b, size >= 5 ? tensorflow_norm : BatchNormOptions{});
  b.begin_stage("features.0");
  int x = b.silu(family.convolution("features.0", b.image(), scale.channels(32), 3, same_size(3, 2)));
  int number = 1;
  for (const Group& group : b0_groups) {
    const std::string name = "features." + std::to_string(number++);
    b.begin_stage(name);
    for (int i = 0; i < scale.blocks(group.blocks); ++i)
      x = family.block(name + "." + std::to_string(i), x, group, scale.channels(group.channels), group.halve && i == 0);
  }
  b.begin_stage("features.8");
  b.silu(family.convolution("features.8", x, 4 * b.shape(x).channels, 1, {}));
  return b.finish("features.8");
}

Preprocessing efficientnet_lite_preprocessing() {
  Preprocessing result;
  result.mean.fill(127.0f / 255);
  result.std.fill(128.0f / 255);
  return result;
}

Network efficientnet_lite(NetworkBuilder b, int size) {
  const Scale scale = scales[size];
  b.begin_stage("_conv_stem");
  int x = b.convolution("_conv_stem", b.image(), 32, 3, tensorflow_same(b.shape(0).height, {3, 2, 1}, true));
  x = b.relu6(b.batch_norm("_bn0", x, tensorflow_norm));
  int number = 0;
  for (const Group& group : b0_groups) {
    const bool fixed = &group == &b0_groups.front() || &group == &b0_groups.back();
    const int blocks = fixed ? group.blocks : scale.blocks(group.blocks);
    for (int i = 0; i < blocks; ++i) {
      const std::string name = "_blocks." + std::to_string(number++);
      b.begin_stage(name);
      x = lite_block(b, name, x, group, scale.channels(group.channels), group.halve && i == 0);
    }
  }
  b.begin_stage("_conv_head");
  b.relu6(b.batch_norm("_bn1", b.convolution("_conv_head", x, 1280, 1, {}), tensorflow_norm));
  return b.finish("_conv_head");
}

}  // namespace glimpse
