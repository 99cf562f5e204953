#include "glimpse/models/encoder/internal/joined.h"

#include <set>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

constexpr std::int64_t most_block = 16;  // channels that lie together in a frozen plan

void check_parts(const std::vector<NetworkPart>& parts) {
  std::set<std::string> names;
  for (const NetworkPart& part : parts) {
    check(names.insert(part.name).second, "encoder {}: named twice", part.name);
    const FeatureShape& shape = part.network.layers.back().shape;
    check(&part == &parts.back() || shape.channels % most_block == 0,
          "encoder {}: {} has {} channels; beside another encoder a multiple of {} is needed, or the last place",
          part.name, part.network.stages.back(), shape.channels, most_block);
  }
}

}  // namespace

Network join(std::vector<NetworkPart> parts, std::int64_t side, const std::string& stage) {
  check_parts(parts);
  Network all;
  all.layers.push_back(parts[0].network.layers[0]);
  std::vector<int> ends;
  for (NetworkPart& part : parts) {
    const int number = static_cast<int>(all.stages.size());
    all.stages.push_back(part.name);
    int image = 0;
    if (!part.pixels.factor.empty()) {
      image = static_cast<int>(all.layers.size());
      all.layers.push_back({part.pixels, "", {0}, number, all.layers[0].shape});
    }
    const int before = static_cast<int>(all.layers.size()) - 1;
    for (std::size_t i = 1; i < part.network.layers.size(); ++i) {
      Layer& layer = part.network.layers[i];
      if (!layer.name.empty()) layer.name = part.name + "." + layer.name;
      for (int& input : layer.inputs) input = input > 0 ? input + before : image;
      layer.stage = number;
      all.layers.push_back(std::move(layer));
    }
    ends.push_back(static_cast<int>(all.layers.size()) - 1);
  }
  const int last = static_cast<int>(all.stages.size());
  all.stages.push_back(stage);
  const auto push = [&](auto kind, std::vector<int> inputs, const FeatureShape& shape) {
    all.layers.push_back({std::move(kind), "", std::move(inputs), last, shape});
    return static_cast<int>(all.layers.size()) - 1;
  };
  int joined = -1;
  for (int end : ends) {
    FeatureShape shape = all.layers[end].shape;
    if (shape.height != side || shape.width != side) {
      shape.height = shape.width = side;
      end = push(AdaptiveAverageLayer{}, {end}, shape);
    }
    if (joined >= 0) shape.channels += all.layers[joined].shape.channels;
    joined = joined < 0 ? end : push(ConcatLayer{}, {joined, end}, shape);
  }
  all.default_stage = stage;
  return all;
}

}  // namespace glimpse
