#pragma once
// The tensors that a pickle of torch.save describes: each a strided window on a storage.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glimpse/engine/io/internal/pickle.h"
#include "glimpse/engine/io/internal/stored.h"

namespace glimpse {

/// A storage as a persistent identifier names it: ("storage", type, key, device, elements).
struct StorageId {
  StoredType type;
  std::string_view key;  ///< of the pickle
  std::uint64_t numel;

  std::uint64_t bytes() const { return numel * size_of(type); }
};

struct StoredWindow {
  std::string name;
  StorageId storage;
  std::int64_t offset;  ///< elements
  std::vector<std::int64_t> sizes, strides;

  bool contiguous() const;
};

/// All tensors in a pickle, in its order: names of nested dictionaries and lists join with dots, as do those of the
/// parts of a whole module. Whatever else it holds is passed over. `path` is for messages. Throws Error for a tensor
/// that does not lie inside its storage or repeats it, an element type that is not supported, and a pickle that refers
/// to itself.
std::vector<StoredWindow> find_tensors(const Pickle& pickle, const std::string& path);

/// The storages that a pickle refers to; of those of one key any.
std::vector<StorageId> find_storages(const Pickle& pickle, const std::string& path);

}  // namespace glimpse
