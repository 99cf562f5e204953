#include "glimpse/models/encoder/families/scratch.h"

namespace glimpse {

Network scratch(NetworkBuilder builder) {
  struct Block {
    std::int64_t channels;
    int kernel;
    bool halve;
  };
  constexpr Block blocks[] = {{32, 5, true}, {64, 3, true}, {128, 3, true}, {128, 3, false}};
  int x = builder.image(), number = 0;
  for (const Block& block : blocks) {
    const std::string name = "block" + std::to_string(++number);
    builder.begin_stage(name);
    const int dilation = builder.dilation();
    const int stride = block.halve && builder.halve(x) ? 2 : 1;
    x = builder.convolution(name + ".conv", x, block.channels, block.kernel, same_size(block.kernel, stride, dilation));
    x = builder.relu(builder.batch_norm(name + ".norm", x));
  }
  return builder.finish("block4");
}

}  // namespace glimpse
