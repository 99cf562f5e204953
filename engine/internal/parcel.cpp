#include "glimpse/engine/internal/parcel.h"

#include <cstring>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/convert.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse {
namespace {

constexpr std::size_t alignment = sizeof(std::int64_t);

}  // namespace

std::size_t Parcel::add(const void* data, std::size_t bytes) {
  std::vector<std::byte>& all = content_->bytes;
  const std::size_t at = all.size();
  all.resize(at + (bytes + alignment - 1) / alignment * alignment);
  if (bytes > 0) std::memcpy(all.data() + at, data, bytes);
  return at;
}

void Parcel::send(Device device) {
  const std::vector<std::byte>& all = content_->bytes;
  storage_ = std::make_shared<Storage>(all.size(), device);
  on(device, [&](auto tag) {
    if constexpr (std::is_same_v<decltype(tag), kernels::Cuda>)
      cuda::copy_to_device(storage_->data(), all.data(), all.size(), tag.stream);
    else
      kernels::copy_bytes(tag, std::ssize(all), all.data(), storage_->data());
  });
  content_->storage = storage_;
  content_->bytes = {};
}

Tensor Parcel::integers(std::size_t at, std::int64_t n) const {
  check(storage_ != nullptr, "parcel: not sent yet");
  return Tensor(storage_, at, {n}, DType::i32);
}

}  // namespace glimpse
