#include "glimpse/models/encoder/families/squeezenet.h"

namespace glimpse {
namespace {

/// `squeeze` channels by 1x1, then `expand` by 1x1 and `expand` by 3x3, joined.
int fire(NetworkBuilder& b, const std::string& name, int x, std::int64_t squeeze, std::int64_t expand) {
  x = b.relu(b.convolution(name + ".squeeze", x, squeeze, 1, {}, true));
  const int narrow = b.relu(b.convolution(name + ".expand1x1", x, expand, 1, {}, true));
  const int wide = b.relu(b.convolution(name + ".expand3x3", x, expand, 3, same_size(3), true));
  return b.concat(narrow, wide);
}

}  // namespace

Network squeezenet(NetworkBuilder builder, bool version_1_1) {
  builder.begin_stage("features.1");
  int x = version_1_1 ? builder.convolution("features.0", builder.image(), 64, 3, {.stride = 2}, true)
                      : builder.convolution("features.0", builder.image(), 96, 7, {.stride = 2}, true);
  x = builder.relu(x);
  int fires = 0;
  for (int module = 2; module <= 12; ++module) {
    const std::string name = "features." + std::to_string(module);
    builder.begin_stage(name);
    const bool pool =
        version_1_1 ? module == 2 || module == 5 || module == 8 : module == 2 || module == 6 || module == 11;
    if (pool) {
      x = builder.max_pool(x, {.kernel = 3, .stride = 2, .ceil_mode = true});
    } else {
      const std::int64_t step = fires++ / 2 + 1;  // widths grow with every second module
      x = fire(builder, name, x, 16 * step, 64 * step);
    }
  }
  builder.begin_stage("classifier");
  x = builder.relu(builder.convolution("classifier.1", x, 1000, 1, {}, true));
  builder.global_average(x);
  return builder.finish("features.12");
}

}  // namespace glimpse
