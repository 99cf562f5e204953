#include "glimpse/engine/internal/on_device.h"

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse {

OnDevice::OnDevice(std::vector<std::int64_t> list, Device device) : list_(std::move(list)) {
  on(device, [&](auto tag) {
    if constexpr (std::is_same_v<decltype(tag), kernels::Cuda>) {
      const std::size_t bytes = list_.size() * sizeof(std::int64_t);
      const auto copy = std::make_shared<Storage>(bytes, device);
      cuda::copy_to_device(copy->data(), list_.data(), bytes, tag.stream);
      copy_ = copy;
    }
  });
}

const std::int64_t* OnDevice::data() const {
  return copy_ ? static_cast<const std::int64_t*>(copy_->data()) : list_.data();
}

}  // namespace glimpse
