#include "glimpse/models/encoder/families/vgg.h"

#include <algorithm>

namespace glimpse {

Network vgg(NetworkBuilder builder, int depth) {
  int x = builder.image();
  int module = 0;  // torchvision numbers convolutions, activations and poolings in one list
  for (int block = 1; block <= 5; ++block) {
    builder.begin_stage("block" + std::to_string(block));
    if (block > 1) {
      if (builder.halve(x)) x = builder.max_pool(x, {.kernel = 2, .stride = 2});
      ++module;
    }
    const int convolutions = block <= 2 ? 2 : (depth == 16 ? 3 : 4);
    const std::int64_t width = std::min(64LL << (block - 1), 512LL);
    for (int i = 0; i < convolutions; ++i, module += 2) {
      const std::string name = "features." + std::to_string(module);
      x = builder.relu(builder.convolution(name, x, width, 3, same_size(3, 1, builder.dilation()), true));
    }
  }
  builder.begin_stage("pool5");
  builder.max_pool(x, {.kernel = 2, .stride = 2});
  return builder.finish("block5");
}

}  // namespace glimpse
