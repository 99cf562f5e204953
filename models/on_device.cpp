#include "glimpse/models/on_device.h"

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/cuda_runtime.h"

namespace glimpse {

OnDevice::OnDevice(const std::vector<std::int64_t>& list, Device device) : data_(list.data()) {
  on(device, [&](auto tag) {
    if constexpr (std::is_same_v<decltype(tag), kernels::Cuda>) {
      const std::size_t bytes = list.size() * sizeof(std::int64_t);
      copy_ = std::make_unique<Storage>(bytes, device);
      cuda::copy_to_device(copy_->data(), list.data(), bytes, tag.stream);
      data_ = static_cast<const std::int64_t*>(copy_->data());
    }
  });
}

}  // namespace glimpse
