#include "glimpse/engine/version.h"

#include "glimpse/engine/dispatch.h"

namespace glimpse {

std::string version() { return GLIMPSE_VERSION; }

std::string built_with() {
#ifdef GLIMPSE_HAVE_ONEDNN
  const std::string products = "with oneDNN";
#else
  const std::string products = "without oneDNN";
#endif
  return products + (cuda_built ? ", with CUDA" : ", without CUDA");
}

}  // namespace glimpse
