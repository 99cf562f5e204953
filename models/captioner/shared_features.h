#pragma once
// Where feature caches lie that all runs share.

#include <string>

#include "glimpse/data/feature_cache.h"

namespace glimpse {

/// Where the features with this key lie for all runs: in `folder`, which is made; by default in glimpse/ below
/// $XDG_CACHE_HOME or ~/.cache, and in `otherwise` where that cannot be written. The name holds encoder and key. Throws
/// Error for a `folder` that cannot be written.
std::string shared_features(const std::string& folder, const std::string& otherwise, const std::string& encoder,
                            const FeatureKey& key);

}  // namespace glimpse
