// Files of torch.save: zip archives and pickles.
#include "glimpse/engine/io/torch_file.h"

#include <map>

#include "fuzz.h"
#include "glimpse/engine/io/internal/zip.h"
#include "glimpse/kernels/base/error.h"
#include "memory_file.h"

namespace glimpse::fuzz {
namespace {

void read(std::string_view bytes) {
  const MemoryFile file(bytes);
  for (const NamedTensor& t : read_tensors(file.path())) t.tensor.to_vector<double>();
}

std::vector<std::string> seeds() { return files_in(GLIMPSE_TEST_DATA "/torch"); }

template <class T>
std::string raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

/// An archive of these entries with all lengths and places right; nothing reads the checksums.
std::string zip_of(const std::map<std::string, std::string>& entries) {
  using u16 = std::uint16_t;
  using u32 = std::uint32_t;
  std::string body, directory;
  for (const auto& [name, content] : entries) {
    const std::string sizes = raw(u32(0)) + raw(u32(content.size())) + raw(u32(content.size())) + raw(u16(name.size()));
    directory += "PK\1\2" + std::string(12, '\0') + sizes + std::string(12, '\0') + raw(u32(body.size())) + name;
    body += "PK\3\4" + std::string(10, '\0') + sizes + std::string(2, '\0') + name + content;
  }
  const auto count = static_cast<u16>(entries.size());
  return body + directory + "PK\5\6" + std::string(4, '\0') + raw(count) + raw(count) + raw(u32(directory.size())) +
         raw(u32(body.size())) + std::string(2, '\0');
}

/// Mostly changes the pickle of an archive, sometimes another entry, sometimes any byte.
std::string mutate(const std::string& bytes, std::uint32_t random) {
  if (random % 8 == 0) return mutated(bytes);
  std::map<std::string, std::string> entries;
  try {
    for (const auto& [name, entry] : read_zip_directory(bytes, "fuzz"))
      entries[name] = bytes.substr(entry.begin, entry.size);
  } catch (const Error&) {
    return mutated(bytes);
  }
  if (entries.empty()) return mutated(bytes);
  auto changed = entries.begin();
  std::advance(changed, (random >> 8) % entries.size());
  for (auto entry = entries.begin(); random % 4 != 1 && entry != entries.end(); ++entry)
    if (entry->first.ends_with("data.pkl")) changed = entry;
  changed->second = mutated(changed->second, 64);
  return zip_of(entries);
}

}  // namespace

const Target target{read, seeds, mutate};

}  // namespace glimpse::fuzz
