#include "glimpse/engine/io/torch_file.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/internal/foreign.h"
#include "glimpse/engine/io/internal/stored.h"
#include "glimpse/engine/io/internal/torch_pickle.h"
#include "glimpse/engine/io/internal/zip.h"

namespace glimpse {
namespace {

using Kind = PickleValue::Kind;

/// The elements of a window in row-major order; the window lies inside its storage.
std::shared_ptr<std::vector<std::byte>> gather(const StoredWindow& w, std::int64_t numel, const std::byte* storage) {
  const std::size_t size = size_of(w.storage.type);
  auto result = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(numel) * size);
  std::vector<std::int64_t> index(w.sizes.size(), 0);
  std::int64_t place = w.offset;
  for (std::int64_t i = 0; i < numel; ++i) {
    std::memcpy(result->data() + static_cast<std::size_t>(i) * size, storage + static_cast<std::size_t>(place) * size,
                size);
    for (std::size_t d = w.sizes.size(); d-- > 0;) {
      if (++index[d] < w.sizes[d]) {
        place += w.strides[d];
        break;
      }
      place -= (w.sizes[d] - 1) * w.strides[d];  // nothing outside the window is ever computed: a stride may be 2^63-1
      index[d] = 0;
    }
  }
  return result;
}

using StoragePlaces = std::map<std::string, ZipEntry, std::less<>>;  // by key: where the bytes lie in the file

FileTensor file_tensor(const std::shared_ptr<const MappedFile>& file, StoredWindow w, std::byte* storage,
                       const std::string& path) {
  const Shape shape(w.sizes.begin(), w.sizes.end());
  const DType dtype = loaded_dtype(w.storage.type);
  const std::string name = w.name;
  const auto read = [file, w = std::move(w), storage, shape, path] {
    const std::string what = fmt::format("{}: tensor '{}'", path, w.name);
    if (shape.numel() == 0) return empty(shape, loaded_dtype(w.storage.type));
    if (w.contiguous()) {
      std::byte* first = storage + static_cast<std::size_t>(w.offset) * size_of(w.storage.type);
      return stored_tensor(first, file, shape, w.storage.type, what);
    }
    const auto copy = gather(w, shape.numel(), storage);
    return stored_tensor(copy->data(), copy, shape, w.storage.type, what);
  };
  return {name, shape, dtype, read};
}

std::vector<FileTensor> make_tensors(const std::shared_ptr<const MappedFile>& file, std::vector<StoredWindow> windows,
                                     const StoragePlaces& places, const std::string& path) {
  std::vector<FileTensor> tensors;
  for (StoredWindow& w : windows) {
    const auto place = places.find(w.storage.key);
    check(place != places.end(), "{}: tensor '{}': its storage {} is missing", path, w.name, w.storage.key);
    check(place->second.size >= w.storage.bytes(), "{}: tensor '{}': its storage of {} elements has {} bytes, not {}",
          path, w.name, w.storage.numel, place->second.size, w.storage.bytes());
    std::byte* storage = file->data() + place->second.begin;
    tensors.push_back(file_tensor(file, std::move(w), storage, path));
  }
  return tensors;
}

/// PyTorch 1.6 and later: FOLDER/data.pkl, and the storage KEY in FOLDER/data/KEY.
std::vector<FileTensor> open_zip_format(const std::shared_ptr<const MappedFile>& file, const std::string& path) {
  const std::map<std::string, ZipEntry> entries = read_zip_directory(file->bytes(), path);
  const auto piece = [&](const ZipEntry& entry) { return file->bytes().substr(entry.begin, entry.size); };
  const std::string pickle_name = "/data.pkl";
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.first.ends_with(pickle_name); });
  check(found != entries.end(), "{}: a zip archive, but not one of PyTorch's: it has no data.pkl", path);
  const std::string folder = found->first.substr(0, found->first.size() - pickle_name.size());
  const auto order = entries.find(folder + "/byteorder");
  check(order == entries.end() || piece(order->second) == "little", "{}: big-endian data is not supported", path);

  ByteReader reader(piece(found->second), path);
  std::vector<StoredWindow> windows = find_tensors(Pickle(reader), path);
  StoragePlaces places;
  const std::string prefix = folder + "/data/";
  for (const auto& [name, entry] : entries)
    if (name.starts_with(prefix)) places.emplace(name.substr(prefix.size()), entry);
  return make_tensors(file, std::move(windows), places, path);
}

/// The first pickle of a file before 1.6 is the number 0x1950a86a20f9469cfc6c.
bool is_old_format(std::string_view bytes, const std::string& path) {
  if (!bytes.starts_with("\x80") && !bytes.starts_with("L1")) return false;
  try {
    ByteReader reader(bytes.substr(0, 64), path);
    const std::string_view magic = Pickle(reader).root().text;
    return magic == "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" || magic == "119547037146038801333356";
  } catch (const Error&) {
    return false;
  }
}

/// Passes the version of the format and the facts about the machine.
void check_machine(ByteReader& reader) {
  {
    const Pickle version(reader);
    check(version.root().kind == Kind::integer && version.root().integer == 1001,
          "{}: a version of the format that is not supported", reader.path());
  }
  const Pickle machine(reader);
  for (const auto& [key, value] : machine.root().entries)
    check(key->text != "little_endian" || value->integer == 1, "{}: big-endian data is not supported", reader.path());
}

/// Before 1.6: pickles of a magic number, a version, facts about the machine, the object and a list of storage keys;
/// then in that order for each storage the number of its elements and their bytes.
std::vector<FileTensor> open_old_format(const std::shared_ptr<const MappedFile>& file, const std::string& path) {
  ByteReader reader(file->bytes(), path);
  static_cast<void>(Pickle{reader});  // the magic number
  check_machine(reader);
  std::vector<StoredWindow> windows;
  std::map<std::string_view, StorageId> ids;
  {
    const Pickle pickle(reader);
    windows = find_tensors(pickle, path);
    for (const StorageId& id : find_storages(pickle, path)) ids.emplace(id.key, id);
  }
  const Pickle keys(reader);
  StoragePlaces places;
  for (const PickleValue* key : keys.root().items) {
    const auto id = ids.find(key->text);
    check(id != ids.end(), "{}: damaged: a storage belongs to nothing", path);
    const auto numel = reader.number<std::uint64_t>();
    check(numel == id->second.numel, "{}: damaged: the storage {} has {} elements, not {}", path, key->text, numel,
          id->second.numel);
    const std::uint64_t begin = reader.at();
    reader.take(id->second.bytes());
    places.emplace(id->first, ZipEntry{begin, id->second.bytes()});
  }
  return make_tensors(file, std::move(windows), places, path);
}

}  // namespace

std::vector<FileTensor> open_torch_file(const std::string& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  const std::string_view bytes = file->bytes();
  if (bytes.starts_with("PK")) return open_zip_format(file, path);
  if (is_old_format(bytes, path)) return open_old_format(file, path);
  refuse_foreign(bytes, path);
  check(!bytes.starts_with("\x80"), "{}: a pickle, but not one of torch.save", path);
  fail("{}: neither a safetensors file nor one of torch.save", path);
}

}  // namespace glimpse
