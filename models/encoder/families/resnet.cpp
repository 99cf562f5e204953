#include "glimpse/models/encoder/families/resnet.h"

#include <array>
#include <map>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// What the first block of a stage does to the grid.
struct Entry {
  int stride = 1;
  int dilation = 1;  // of the convolution that has (or would have had) the stride
};

class ResNetBuilder {
 public:
  ResNetBuilder(NetworkBuilder& builder, bool bottleneck, bool stride_in_1x1)
      : b_(builder), bottleneck_(bottleneck), stride_in_1x1_(stride_in_1x1) {}

  int stem(int x) {
    b_.begin_stage("stem");
    x = b_.convolution("conv1", x, 64, 7, same_size(7, 2));
    x = b_.relu(b_.batch_norm("bn1", x));
    return b_.max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
  }

  int stage(int number, int x, int blocks) {
    const std::string name = "layer" + std::to_string(number);
    b_.begin_stage(name);
    const std::int64_t width = 64LL << (number - 1);
    Entry entry{1, b_.dilation()};
    if (number > 1 && b_.halve(x)) entry.stride = 2;
    for (int i = 0; i < blocks; ++i, entry = {1, b_.dilation()})
      x = block(name + "." + std::to_string(i) + ".", x, width, entry);
    return x;
  }

 private:
  int block(const std::string& name, int x, std::int64_t width, const Entry& entry) {
    const std::int64_t out = bottleneck_ ? 4 * width : width;
    int shortcut = x;
    if (entry.stride != 1 || b_.shape(x).channels != out) {
      shortcut = b_.convolution(name + "downsample.0", x, out, 1, same_size(1, entry.stride));
      shortcut = b_.batch_norm(name + "downsample.1", shortcut);
    }
    const int main = bottleneck_ ? bottleneck(name, x, width, entry) : basic(name, x, width, entry);
    return b_.relu(b_.add(main, shortcut));
  }

  int basic(const std::string& name, int x, std::int64_t width, const Entry& entry) {
    x = b_.convolution(name + "conv1", x, width, 3, same_size(3, entry.stride, entry.dilation));
    x = b_.relu(b_.batch_norm(name + "bn1", x));
    x = b_.convolution(name + "conv2", x, width, 3, same_size(3, 1, b_.dilation()));
    return b_.batch_norm(name + "bn2", x);
  }

  int bottleneck(const std::string& name, int x, std::int64_t width, const Entry& entry) {
    const int first = stride_in_1x1_ ? entry.stride : 1, second = stride_in_1x1_ ? 1 : entry.stride;
    x = b_.convolution(name + "conv1", x, width, 1, same_size(1, first));
    x = b_.relu(b_.batch_norm(name + "bn1", x));
    const int dilation = stride_in_1x1_ ? b_.dilation() : entry.dilation;
    x = b_.convolution(name + "conv2", x, width, 3, same_size(3, second, dilation));
    x = b_.relu(b_.batch_norm(name + "bn2", x));
    x = b_.convolution(name + "conv3", x, 4 * width, 1, {});
    return b_.batch_norm(name + "bn3", x);
  }

  NetworkBuilder& b_;
  bool bottleneck_, stride_in_1x1_;
};

}  // namespace

Network resnet(NetworkBuilder builder, int depth, bool stride_in_1x1) {
  static const std::map<int, std::array<int, 4>> blocks{
      {18, {2, 2, 2, 2}}, {34, {3, 4, 6, 3}}, {50, {3, 4, 6, 3}}, {101, {3, 4, 23, 3}}, {152, {3, 8, 36, 3}}};
  const bool bottleneck = depth >= 50;
  check(bottleneck || !stride_in_1x1, "resnet{} has no bottleneck blocks whose stride could be in the 1x1 convolution",
        depth);
  ResNetBuilder family(builder, bottleneck, stride_in_1x1);
  int x = family.stem(builder.image());
  for (int number = 1; number <= 4; ++number)
    x = family.stage(number, x, blocks.at(depth)[static_cast<std::size_t>(number) - 1]);
  return builder.finish("layer4");
}

}  // namespace glimpse
