#include "glimpse/models/training/resident_features.h"

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/cuda/runtime.h"
#include "glimpse/kernels/embedding.h"

namespace glimpse {

std::shared_ptr<const ResidentFeatures> ResidentFeatures::of(const FeatureCache& cache, Device device, double most) {
  std::size_t memory = 0;
  on(device, [&](auto tag) {
    if constexpr (std::is_same_v<decltype(tag), kernels::Cuda>) memory = cuda::device_info().memory;
  });
  const Tensor& features = cache.features();
  if (static_cast<double>(features.bytes()) > most * static_cast<double>(memory)) return nullptr;
  try {
    return std::shared_ptr<const ResidentFeatures>(new ResidentFeatures(features.to(device)));
  } catch (const OutOfMemory&) {  // others use the device too: batches go there one by one
    return nullptr;
  }
}

Tensor ResidentFeatures::rows(const Tensor& index) const {
  check(index.rank() == 1 && index.device() == features_.device(), "features: rows {} on {}, not (I) on {}",
        index.shape(), name_of(index.device()), name_of(features_.device()));
  const std::int64_t n = index.size(0), width = features_.size(1) * features_.size(2);
  const Tensor y({n, features_.size(1), features_.size(2)}, DType::f32, features_.device());
  on(y.device(), [&](auto device) {
    const auto gather = [&]<class From>(const From* x) {
      kernels::gather_as_float(device, n, width, x, index.data<std::int32_t>(), y.data<float>());
    };
    if (features_.dtype() == DType::f16)
      gather(features_.data<f16>());
    else
      gather(features_.data<float>());
  });
  return y;
}

}  // namespace glimpse
