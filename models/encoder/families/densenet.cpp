#include "glimpse/models/encoder/families/densenet.h"

#include <array>
#include <map>

namespace glimpse {
namespace {

struct Configuration {
  std::int64_t growth, stem;
  std::array<int, 4> layers;
};

/// x joined with `growth` new channels made from it.
int dense_layer(NetworkBuilder& b, const std::string& name, int x, std::int64_t growth) {
  int y = b.relu(b.batch_norm(name + "norm1", x));
  y = b.convolution(name + "conv1", y, 4 * growth, 1, {});
  y = b.relu(b.batch_norm(name + "norm2", y));
  y = b.convolution(name + "conv2", y, growth, 3, same_size(3, 1, b.dilation()));
  return b.concat(x, y);
}

int transition(NetworkBuilder& b, const std::string& name, int x) {
  x = b.relu(b.batch_norm(name + "norm", x));
  x = b.convolution(name + "conv", x, b.shape(x).channels / 2, 1, {});
  return b.halve(x) ? b.avg_pool(x, {.kernel = 2, .stride = 2}) : x;
}

}  // namespace

Network densenet(NetworkBuilder builder, int depth) {
  static const std::map<int, Configuration> configurations{{121, {32, 64, {6, 12, 24, 16}}},
                                                           {161, {48, 96, {6, 12, 36, 24}}},
                                                           {169, {32, 64, {6, 12, 32, 32}}},
                                                           {201, {32, 64, {6, 12, 48, 32}}}};
  const Configuration& c = configurations.at(depth);
  builder.begin_stage("stem");
  int x = builder.convolution("features.conv0", builder.image(), c.stem, 7, same_size(7, 2));
  x = builder.relu(builder.batch_norm("features.norm0", x));
  x = builder.max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
  for (int block = 1; block <= 4; ++block) {
    const std::string stage = "denseblock" + std::to_string(block);
    builder.begin_stage(stage);
    for (int i = 1; i <= c.layers[static_cast<std::size_t>(block) - 1]; ++i)
      x = dense_layer(builder, "features." + stage + ".denselayer" + std::to_string(i) + ".", x, c.growth);
    if (block == 4) break;
    const std::string after = "transition" + std::to_string(block);
    builder.begin_stage(after);
    x = transition(builder, "features." + after + ".", x);
  }
  builder.begin_stage("norm5");
  builder.relu(builder.batch_norm("features.norm5", x));
  return builder.finish("norm5");
}

}  // namespace glimpse
