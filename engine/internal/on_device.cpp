#include "glimpse/engine/internal/on_device.h"

#include "glimpse/kernels/base/check.h"

namespace glimpse {

OnDevice::OnDevice(std::vector<std::int64_t> list, Device device) {
  if (device == Device::cpu) {
    list_ = std::move(list);
    return;
  }
  Parcel parcel;
  *this = OnDevice(list, parcel);
  parcel.send(device);
}

OnDevice::OnDevice(const std::vector<std::int64_t>& list, Parcel& parcel)
    : sent_(parcel.content()), at_(parcel.add(list)) {}

const std::int64_t* OnDevice::data() const {
  if (!sent_) return list_.data();
  check(sent_->storage != nullptr, "a list for a device was not sent yet");
  return reinterpret_cast<const std::int64_t*>(static_cast<const std::byte*>(sent_->storage->data()) + at_);
}

}  // namespace glimpse
