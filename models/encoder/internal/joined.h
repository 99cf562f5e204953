#pragma once
// Several networks side by side, as one.

#include <string>
#include <vector>

#include "glimpse/models/encoder/network.h"

namespace glimpse {

struct NetworkPart {
  std::string name;  ///< "densenet169": its tensors' names begin with it and a dot
  Network network;
  RenormaliseLayer pixels = {};  ///< from the pixels of the first part to those of this one; empty: they are the same
};

/// The networks, each on the same images, and behind them their grids brought to `side` cells a side (means over parts
/// of a grid, as adaptive_avg_pool2d) and joined channel by channel. Each is a stage of its name; the last stage, of no
/// weights, is called `stage`. Throws Error for parts of the same name, and for a part but the last whose channels the
/// frozen plan could not place side by side.
Network join(std::vector<NetworkPart> parts, std::int64_t side, const std::string& stage);

}  // namespace glimpse
