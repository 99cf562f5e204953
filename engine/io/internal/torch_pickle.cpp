#include "glimpse/engine/io/internal/torch_pickle.h"

#include <map>
#include <set>

namespace glimpse {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view ordered_dict = "collections.OrderedDict", rebuild_prefix = "torch._utils._rebuild_",
                           rebuild_tensor = "torch._utils._rebuild_tensor",
                           rebuild_tensor_v2 = "torch._utils._rebuild_tensor_v2",
                           rebuild_parameter = "torch._utils._rebuild_parameter",
                           rebuild_parameter_with_state = "torch._utils._rebuild_parameter_with_state",
                           rebuild_from_type = "torch._tensor._rebuild_from_type_v2";

constexpr std::size_t longest_key = 256;  // of a storage; PyTorch counts them
/// More than any network has. A few bytes of a pickle can repeat a long name or a long list again and again.
constexpr std::size_t most_tensors = 100'000;
constexpr std::int64_t longest_walk = 20'000'000;
constexpr int deepest = 100;

const std::map<std::string_view, StoredType>& storage_types() {
  static const std::map<std::string_view, StoredType> types = {
      {"torch.FloatStorage", StoredType::f32}, {"torch.DoubleStorage", StoredType::f64},
      {"torch.HalfStorage", StoredType::f16},  {"torch.BFloat16Storage", StoredType::bf16},
      {"torch.IntStorage", StoredType::i32},   {"torch.LongStorage", StoredType::i64},
      {"torch.ShortStorage", StoredType::i16}, {"torch.CharStorage", StoredType::i8},
      {"torch.ByteStorage", StoredType::u8},   {"torch.BoolStorage", StoredType::boolean}};
  return types;
}

/// Whether a persistent identifier is that of a storage; files before PyTorch 1.6 also have ("module", ...).
bool is_storage(const PickleValue& value) {
  if (value.kind != Kind::persistent) return false;
  const auto& items = value.arguments->items;
  return items.size() >= 5 && items[0]->kind == Kind::text && items[0]->text == "storage";
}

StorageId storage_id(const PickleValue& value, const std::string& what) {
  check(is_storage(value), "{}: damaged pickle: it has no storage", what);
  const auto& items = value.arguments->items;
  check(items[1]->kind == Kind::name && items[2]->kind == Kind::text && items[4]->kind == Kind::integer,
        "{}: damaged pickle: it has no storage", what);
  const auto type = storage_types().find(items[1]->text);
  check(type != storage_types().end(), "{}: elements of {} are not supported", what, items[1]->text);
  check(items.size() == 5 || items[5]->kind == Kind::none, "{}: views of storages are not supported", what);
  const std::int64_t numel = items[4]->integer;
  check(numel >= 0 && numel <= (std::int64_t{1} << 60), "{}: damaged pickle: a storage of {} elements", what, numel);
  check(items[2]->text.size() <= longest_key, "{}: damaged pickle: a key of {} bytes", what, items[2]->text.size());
  return {type->second, items[2]->text, static_cast<std::uint64_t>(numel)};
}

std::vector<std::int64_t> integers(const PickleValue& list, const std::string& what) {
  std::vector<std::int64_t> values;
  check(list.kind == Kind::list, "{}: damaged pickle: sizes or strides are no tuple", what);
  check(list.items.size() <= static_cast<std::size_t>(Shape::max_rank), "{}: {} dimensions; at most {} are supported",
        what, list.items.size(), Shape::max_rank);
  for (const PickleValue* item : list.items) {
    check(item->kind == Kind::integer && item->integer >= 0, "{}: damaged pickle: a size or a stride is no number",
          what);
    values.push_back(item->integer);
  }
  return values;
}

/// Makes sure that every element of the window lies in its storage.
void check_window(const StoredWindow& w, const std::string& what) {
  check(w.sizes.size() == w.strides.size(), "{}: {} sizes and {} strides", what, w.sizes.size(), w.strides.size());
  const std::optional<std::uint64_t> numel = checked_numel(w.sizes);
  check(numel.has_value(), "{}: shape ({}) overflows", what, fmt::join(w.sizes, ","));
  if (*numel == 0) return;
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
}

class TensorFinder {
 public:
  explicit TensorFinder(const std::string& path) : path_(path) {}

  void walk(const PickleValue& value) {
    // Values that refer to each other many times or in a circle would be walked for ever.
    walked_ += 1 + std::ssize(value.items) + std::ssize(value.entries);
    check(++depth_ <= deepest && walked_ <= longest_walk, "{}: the pickle is nested too deeply", path_);
    switch (value.kind) {
      case Kind::list:
        for (std::size_t i = 0; i < value.items.size(); ++i)
          if (has_parts(*value.items[i])) walk_named(*value.items[i], std::to_string(i));
        break;
      case Kind::dictionary:
        walk_entries(value);
        break;
      case Kind::call:
        walk_call(value);
        break;
      default:
        break;
    }
    --depth_;
  }

  std::vector<StoredWindow> windows;

 private:
  static bool has_parts(const PickleValue& value) {
    return value.kind == Kind::list || value.kind == Kind::dictionary || value.kind == Kind::call;
  }

  void walk_named(const PickleValue& value, std::string_view key) {
    const std::size_t length = name_.size();
    // No more of a name than shows that it is too long: it would be copied once for each value below.
    name_.append(length == 0 ? "" : ".").append(key.substr(0, longest_tensor_name + 1));
    name_.resize(std::min(name_.size(), longest_tensor_name + 1));
    walk(value);
    name_.resize(length);
  }
  void walk_entry(const PickleValue& key, const PickleValue& value) {
    if (!has_parts(value)) return;
    if (key.kind == Kind::text) walk_named(value, key.text);
    if (key.kind == Kind::integer) walk_named(value, std::to_string(key.integer));
  }
  void walk_entries(const PickleValue& value) {
    for (const auto& [key, element] : value.entries) walk_entry(*key, *element);
  }

  void walk_call(const PickleValue& call) {
    const std::string_view function = call.function->kind == Kind::name ? call.function->text : "";
    const auto& arguments = call.arguments->items;
    if (function == rebuild_from_type) {  // (function, class, arguments, attributes)
      check(arguments.size() >= 3 && arguments[0]->kind == Kind::name, "{}: damaged pickle: a tensor of no kind",
            path_);
      rebuild(arguments[0]->text, arguments[2]->items);
    } else if (function.starts_with(rebuild_prefix)) {
      rebuild(function, arguments);
    } else {
      // Python 2 passes the content of an OrderedDict as one list of pairs; Python 3 sets it afterwards.
      if (function == ordered_dict && !arguments.empty() && arguments[0]->kind == Kind::list)
        for (const PickleValue* pair : arguments[0]->items)
          if (pair->kind == Kind::list && pair->items.size() == 2) walk_entry(*pair->items[0], *pair->items[1]);
      walk_entries(call);
      if (call.state) walk_module(*call.state);
    }
  }

  /// torch.nn.Module keeps its tensors and its parts in three dictionaries of these names.
  void walk_module(const PickleValue& attributes) {
    if (attributes.kind != Kind::dictionary) return;
    walked_ += std::ssize(attributes.entries);
    for (const auto& [key, value] : attributes.entries)
      if (key->kind == Kind::text && (key->text == "_parameters" || key->text == "_buffers" || key->text == "_modules"))
        walk(*value);
  }

  void rebuild(std::string_view function, const std::vector<const PickleValue*>& arguments) {
    if (function == rebuild_parameter || function == rebuild_parameter_with_state) {
      check(!arguments.empty(), "{}: damaged pickle: a parameter without a tensor", path_);
      walk(*arguments[0]);
      return;
    }
    check(name_.size() <= longest_tensor_name, "{}: a tensor's name is longer than {} bytes", path_,
          longest_tensor_name);
    const std::string what = fmt::format("{}: tensor '{}'", path_, name_);
    check(function == rebuild_tensor || function == rebuild_tensor_v2, "{}: made by {}, which is not supported", what,
          function);
    check(arguments.size() >= 4 && arguments[1]->kind == Kind::integer, "{}: damaged pickle: arguments are missing",
          what);
    check(names_.insert(name_).second, "{}: the name stands twice", what);
    check(windows.size() < most_tensors, "{}: more than {} tensors", path_, most_tensors);
    windows.push_back({name_, storage_id(*arguments[0], what), arguments[1]->integer, integers(*arguments[2], what),
                       integers(*arguments[3], what)});
    check_window(windows.back(), what);
  }

  const std::string& path_;
  std::string name_;  // of the value that is walked
  std::set<std::string> names_;
  int depth_ = 0;
  std::int64_t walked_ = 0;
};

}  // namespace

bool StoredWindow::contiguous() const {
  std::int64_t expected = 1;
  for (std::size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] != 1 && strides[i] != expected) return false;
    expected *= sizes[i];
  }
  return true;
}

std::vector<StoredWindow> find_tensors(const Pickle& pickle, const std::string& path) {
  TensorFinder finder(path);
  finder.walk(pickle.root());
  return std::move(finder.windows);
}

std::vector<StorageId> find_storages(const Pickle& pickle, const std::string& path) {
  std::vector<StorageId> storages;
  for (const PickleValue& value : pickle.values())
    if (is_storage(value)) storages.push_back(storage_id(value, path));
  return storages;
}

}  // namespace glimpse
