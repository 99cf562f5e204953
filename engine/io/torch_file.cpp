#include "glimpse/engine/io/torch_file.h"

#include <algorithm>
#include <map>
#include <set>

#include "glimpse/engine/io/internal/pickle.h"
#include "glimpse/engine/io/internal/stored.h"
#include "glimpse/engine/io/internal/zip.h"
#include "glimpse/engine/io/safetensors.h"

namespace glimpse {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view ordered_dict = "collections.OrderedDict", rebuild_tensor = "torch._utils._rebuild_tensor",
                           rebuild_tensor_v2 = "torch._utils._rebuild_tensor_v2",
                           rebuild_parameter = "torch._utils._rebuild_parameter";

const std::map<std::string_view, StoredType>& storage_types() {
  static const std::map<std::string_view, StoredType> types = {
      {"torch.FloatStorage", StoredType::f32}, {"torch.DoubleStorage", StoredType::f64},
      {"torch.HalfStorage", StoredType::f16},  {"torch.BFloat16Storage", StoredType::bf16},
      {"torch.IntStorage", StoredType::i32},   {"torch.LongStorage", StoredType::i64},
      {"torch.ShortStorage", StoredType::i16}, {"torch.CharStorage", StoredType::i8},
      {"torch.ByteStorage", StoredType::u8},   {"torch.BoolStorage", StoredType::boolean}};
  return types;
}

bool known_name(std::string_view name) {
  return name == ordered_dict || name == rebuild_tensor || name == rebuild_tensor_v2 || name == rebuild_parameter ||
         storage_types().contains(name);
}

/// A storage as a persistent identifier names it: ("storage", type, key, device, elements).
struct StorageId {
  StoredType type;
  std::string key;
  std::uint64_t numel;

  std::uint64_t bytes() const { return numel * size_of(type); }
};

StorageId storage_id(const PickleValue& value, const std::string& what) {
  const auto& items = value.kind == Kind::persistent ? value.arguments->items : value.items;
  check(value.kind == Kind::persistent && items.size() >= 5 && items[1]->kind == Kind::name &&
            items[2]->kind == Kind::text && items[4]->kind == Kind::integer,
        "{}: damaged pickle: it has no storage", what);
  const auto type = storage_types().find(items[1]->text);
  check(type != storage_types().end(), "{}: damaged pickle: {} is no storage", what, items[1]->text);
  check(items.size() == 5 || items[5]->kind == Kind::none, "{}: views of storages are not supported", what);
  const std::int64_t numel = items[4]->integer;
  check(numel >= 0 && numel <= (std::int64_t{1} << 60), "{}: damaged pickle: a storage of {} elements", what, numel);
  return {type->second, std::string(items[2]->text), static_cast<std::uint64_t>(numel)};
}

/// A tensor as the pickle describes it: a strided window on a storage.
struct StoredWindow {
  std::string name;
  StorageId storage;
  std::int64_t offset;  // elements
  std::vector<std::int64_t> sizes, strides;
};

std::vector<std::int64_t> integers(const PickleValue& list, const std::string& what) {
  std::vector<std::int64_t> values;
  check(list.kind == Kind::list, "{}: damaged pickle: sizes or strides are no tuple", what);
  for (const PickleValue* item : list.items) {
    check(item->kind == Kind::integer && item->integer >= 0, "{}: damaged pickle: a size or a stride is no number",
          what);
    values.push_back(item->integer);
  }
  return values;
}

/// Finds all tensors in a pickle.
class WindowCollector {
 public:
  explicit WindowCollector(std::string path) : path_(std::move(path)) {}

  void collect(const PickleValue& value, const std::string& name) {
    // Values that refer to each other many times or in a circle would be walked for ever.
    check(++depth_ <= 32 && ++walked_ <= 1'000'000, "{}: the pickle is nested too deeply", path_);
    switch (value.kind) {
      case Kind::list:
        for (std::size_t i = 0; i < value.items.size(); ++i) collect(*value.items[i], join(name, std::to_string(i)));
        break;
      case Kind::dictionary:
        collect_entries(value, name);
        break;
      case Kind::call:
        collect_call(value, name);
        break;
      default:
        break;
    }
    --depth_;
  }

  std::vector<StoredWindow> windows;

 private:
  static std::string join(const std::string& name, std::string_view key) {
    return name.empty() ? std::string(key) : name + "." + std::string(key);
  }

  void collect_entry(const PickleValue& key, const PickleValue& value, const std::string& name) {
    if (key.kind == Kind::text) collect(value, join(name, key.text));
    if (key.kind == Kind::integer) collect(value, join(name, std::to_string(key.integer)));
  }
  void collect_entries(const PickleValue& value, const std::string& name) {
    for (const auto& [key, element] : value.entries) collect_entry(*key, *element, name);
  }

  void collect_call(const PickleValue& call, const std::string& name) {
    const std::string_view function = call.function->text;
    const auto& arguments = call.arguments->items;
    if (function == ordered_dict) {
      // Python 2 passes the content as one list of pairs; Python 3 sets it afterwards.
      if (!arguments.empty() && arguments[0]->kind == Kind::list)
        for (const PickleValue* pair : arguments[0]->items)
          if (pair->kind == Kind::list && pair->items.size() == 2)
            collect_entry(*pair->items[0], *pair->items[1], name);
      collect_entries(call, name);
    } else if (function == rebuild_parameter) {
      check(!arguments.empty(), "{}: damaged pickle: a parameter without a tensor", path_);
      collect(*arguments[0], name);
    } else if (function == rebuild_tensor || function == rebuild_tensor_v2) {
      add_window(arguments, name);
    }
  }

  void add_window(const std::vector<const PickleValue*>& arguments, const std::string& name) {
    const std::string what = fmt::format("{}: tensor '{}'", path_, name);
    check(arguments.size() >= 4 && arguments[1]->kind == Kind::integer, "{}: damaged pickle: arguments are missing",
          what);
    check(names_.insert(name).second, "{}: the name stands twice", what);
    windows.push_back({name, storage_id(*arguments[0], what), arguments[1]->integer, integers(*arguments[2], what),
                       integers(*arguments[3], what)});
  }

  std::string path_;
  std::set<std::string> names_;
  int depth_ = 0, walked_ = 0;
};

/// Makes sure that every element of the window lies in its storage. Returns the number of elements.
std::uint64_t check_window(const StoredWindow& w, const std::string& what) {
  check(w.sizes.size() == w.strides.size() && w.sizes.size() <= static_cast<std::size_t>(Shape::max_rank),
        "{}: {} sizes and {} strides; at most {} are supported", what, w.sizes.size(), w.strides.size(),
        Shape::max_rank);
  const std::optional<std::uint64_t> numel = checked_numel(w.sizes);
  check(numel.has_value(), "{}: shape ({}) overflows", what, fmt::join(w.sizes, ","));
  if (*numel == 0) return 0;
  std::int64_t last = w.offset;
  bool overflow = w.offset < 0;
  for (std::size_t i = 0; i < w.sizes.size(); ++i) {
    std::int64_t reach = 0;
    overflow = __builtin_mul_overflow(w.sizes[i] - 1, w.strides[i], &reach) ||
               __builtin_add_overflow(last, reach, &last) || overflow;
  }
  check(!overflow && static_cast<std::uint64_t>(last) < w.storage.numel,
        "{}: shape ({}), strides ({}) and offset {} go past its storage of {} elements", what, fmt::join(w.sizes, ","),
        fmt::join(w.strides, ","), w.offset, w.storage.numel);
  // A stride of 0 lets a small file stand for any amount of memory.
  check(*numel <= w.storage.numel, "{}: shape ({}) repeats the {} elements of its storage; save a contiguous copy",
        what, fmt::join(w.sizes, ","), w.storage.numel);
  return *numel;
}

bool is_contiguous(const StoredWindow& w) {
  std::int64_t expected = 1;
  for (std::size_t i = w.sizes.size(); i-- > 0;) {
    if (w.sizes[i] != 1 && w.strides[i] != expected) return false;
    expected *= w.sizes[i];
  }
  return true;
}

/// The window's elements in row-major order.
std::shared_ptr<std::vector<std::byte>> gather(const StoredWindow& w, std::uint64_t numel, const std::byte* storage) {
  const std::size_t size = size_of(w.storage.type);
  auto result = std::make_shared<std::vector<std::byte>>(numel * size);
  std::vector<std::int64_t> index(w.sizes.size(), 0);
  std::int64_t place = w.offset;
  for (std::uint64_t i = 0; i < numel; ++i) {
    std::memcpy(result->data() + i * size, storage + static_cast<std::size_t>(place) * size, size);
    for (std::size_t d = w.sizes.size(); d-- > 0;) {
      place += w.strides[d];
      if (++index[d] < w.sizes[d]) break;
      place -= w.sizes[d] * w.strides[d];
      index[d] = 0;
    }
  }
  return result;
}

using StoragePlaces = std::map<std::string, ZipEntry>;  // by key: where the bytes lie in the file

std::vector<NamedTensor> make_tensors(const std::shared_ptr<const MappedFile>& file,
                                      const std::vector<StoredWindow>& windows, const StoragePlaces& places,
                                      const std::string& path) {
  std::vector<NamedTensor> tensors;
  for (const StoredWindow& w : windows) {
    const std::string what = fmt::format("{}: tensor '{}'", path, w.name);
    const std::uint64_t numel = check_window(w, what);
    const auto place = places.find(w.storage.key);
    check(place != places.end(), "{}: its storage {} is missing", what, w.storage.key);
    check(place->second.size >= w.storage.bytes(), "{}: its storage of {} elements has {} bytes, not {}", what,
          w.storage.numel, place->second.size, w.storage.bytes());
    std::byte* storage = file->data() + place->second.begin;
    const Shape shape(w.sizes.begin(), w.sizes.end());
    if (numel == 0) {
      tensors.push_back({w.name, empty(shape, loaded_dtype(w.storage.type))});
    } else if (is_contiguous(w)) {
      std::byte* first = storage + static_cast<std::size_t>(w.offset) * size_of(w.storage.type);
      tensors.push_back({w.name, stored_tensor(first, file, shape, w.storage.type, what)});
    } else {
      const auto copy = gather(w, numel, storage);
      tensors.push_back({w.name, stored_tensor(copy->data(), copy, shape, w.storage.type, what)});
    }
  }
  return tensors;
}

/// PyTorch 1.6 and later: FOLDER/data.pkl, and the storage KEY in FOLDER/data/KEY.
std::vector<NamedTensor> read_zip_format(const std::shared_ptr<const MappedFile>& file, const std::string& path) {
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
  const Pickle pickle(reader, known_name);
  WindowCollector collector(path);
  collector.collect(pickle.root(), "");
  StoragePlaces places;
  const std::string prefix = folder + "/data/";
  for (const auto& [name, entry] : entries)
    if (name.starts_with(prefix)) places.emplace(name.substr(prefix.size()), entry);
  return make_tensors(file, collector.windows, places, path);
}

/// The first pickle of a file before 1.6: the number 0x1950a86a20f9469cfc6c.
constexpr std::string_view old_magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Before 1.6: pickles of a magic number, a version, facts about the machine, the object and a list of storage keys;
/// then in that order for each storage the number of its elements and their bytes.
std::vector<NamedTensor> read_old_format(const std::shared_ptr<const MappedFile>& file, const std::string& path) {
  ByteReader reader(file->bytes(), path);
  reader.take(old_magic.size());
  const Pickle version(reader, known_name);
  check(version.root().kind == Kind::integer && version.root().integer == 1001,
        "{}: a version of the format that is not supported", path);
  const Pickle machine(reader, known_name);
  for (const auto& [key, value] : machine.root().entries)
    check(key->text != "little_endian" || value->integer == 1, "{}: big-endian data is not supported", path);
  const Pickle pickle(reader, known_name);
  WindowCollector collector(path);
  collector.collect(pickle.root(), "");

  std::map<std::string, StorageId> ids;
  for (const PickleValue& value : pickle.values()) {
    if (value.kind != Kind::persistent) continue;
    const StorageId id = storage_id(value, path);
    ids.emplace(id.key, id);
  }
  const Pickle keys(reader, known_name);
  StoragePlaces places;
  for (const PickleValue* key : keys.root().items) {
    const auto id = ids.find(std::string(key->text));
    check(id != ids.end(), "{}: damaged: the storage {} belongs to nothing", path, key->text);
    const auto numel = reader.number<std::uint64_t>();
    check(numel == id->second.numel, "{}: damaged: the storage {} has {} elements, not {}", path, key->text, numel,
          id->second.numel);
    const std::uint64_t begin = reader.at();
    reader.take(id->second.bytes());
    places.emplace(id->first, ZipEntry{begin, id->second.bytes()});
  }
  return make_tensors(file, collector.windows, places, path);
}

}  // namespace

std::vector<NamedTensor> read_torch_file(const std::string& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  const std::string_view bytes = file->bytes();
  if (bytes.starts_with("PK")) return read_zip_format(file, path);
  if (bytes.starts_with(old_magic)) return read_old_format(file, path);
  constexpr std::size_t tar_magic_at = 257;
  check(bytes.size() < tar_magic_at + 5 || bytes.substr(tar_magic_at, 5) != "ustar",
        "{}: the tar format of PyTorch before 0.1.10 is not supported; load and save it with a current PyTorch", path);
  fail("{}: not a file of torch.save", path);
}

std::vector<NamedTensor> read_tensors(const std::string& path) {
  // A safetensors file begins with the length of its header, then "{".
  const MappedFile file(path);
  const bool safetensors = file.size() > 8 && file.bytes()[8] == '{' && !file.bytes().starts_with("PK\3\4");
  if (safetensors) return read_safetensors(path).tensors;
  check(file.bytes().starts_with("PK") || file.bytes().starts_with("\x80"),
        "{}: neither a safetensors file nor one of torch.save", path);
  return read_torch_file(path);
}

}  // namespace glimpse
