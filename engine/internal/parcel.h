#pragma once
// Lists that go to a device in one copy: of several small ones each would cost as much as all.

#include <cstdint>
#include <memory>
#include <vector>

#include "glimpse/engine/tensor.h"

namespace glimpse {

class Parcel {
 public:
  /// What is sent, and where it lies afterwards. Those who added a list keep it.
  struct Content {
    std::vector<std::byte> bytes;            // until it is sent
    std::shared_ptr<const Storage> storage;  // from then on
  };

  /// Adds a list; returns its first byte in the content, a multiple of 8.
  std::size_t add(const void* data, std::size_t bytes);
  template <class T>
  std::size_t add(const std::vector<T>& list) {
    return add(list.data(), list.size() * sizeof(T));
  }
  void send(Device device);

  const std::shared_ptr<const Content>& content() const { return shared_; }
  /// A list of whole numbers that was added and sent.
  Tensor integers(std::size_t at, std::int64_t n) const;

 private:
  std::shared_ptr<Content> content_ = std::make_shared<Content>();
  std::shared_ptr<const Content> shared_ = content_;
  std::shared_ptr<Storage> storage_;
};

}  // namespace glimpse
