#include "glimpse/engine/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "glimpse/engine/io/internal/foreign.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/io/internal/stored.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

using Json = nlohmann::json;

constexpr std::size_t length_bytes = 8;
/// The limit of the reference implementation.
constexpr std::uint64_t longest_header = 100'000'000;
constexpr const char* metadata_key = "__metadata__";

struct TypeName {
  const char* name;
  StoredType type;
};
constexpr TypeName type_names[] = {{"F32", StoredType::f32},     {"F64", StoredType::f64}, {"F16", StoredType::f16},
                                   {"BF16", StoredType::bf16},   {"I32", StoredType::i32}, {"I64", StoredType::i64},
                                   {"I16", StoredType::i16},     {"I8", StoredType::i8},   {"U64", StoredType::u64},
                                   {"U32", StoredType::u32},     {"U16", StoredType::u16}, {"U8", StoredType::u8},
                                   {"BOOL", StoredType::boolean}};

const char* file_name_of(DType dtype) {
  for (const TypeName& t : type_names)
    if (loaded_dtype(t.type) == dtype) return t.name;  // the first of I32, I64, ... is I32 itself
  return "";
}

/// One tensor as the header describes it.
struct Entry {
  std::string name;
  StoredType type;
  std::vector<std::int64_t> sizes;
  std::uint64_t begin, end;  // in the data
};

/// Parses the header, which is nested three deep at most.
Json parse_header(const std::string& path, std::string_view text) {
  Json header = parse_json(text, path + ": the header", 3);
  check(header.is_object(), "{}: the header is not a JSON object", path);
  return header;
}

std::uint64_t unsigned_at(const Json& list, std::size_t index, const std::string& what, const char* field) {
  check(list[index].is_number_unsigned(), "{}: {} is not a list of non-negative integers", what, field);
  return list[index].get<std::uint64_t>();
}

Entry parse_entry(const std::string& what, const std::string& name, const Json& value) {
  check(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
            value.contains("data_offsets"),
        "{}: its entry needs dtype, shape and data_offsets, and nothing else", what);
  const Json &dtype = value["dtype"], &shape = value["shape"], &offsets = value["data_offsets"];
  const auto* known = std::find_if(std::begin(type_names), std::end(type_names),
                                   [&](const TypeName& t) { return dtype.is_string() && dtype == t.name; });
  check(known != std::end(type_names), "{}: dtype {} is not supported", what, json_text(dtype));
  check(shape.is_array(), "{}: shape is not a list of non-negative integers", what);
  check(shape.size() <= static_cast<std::size_t>(Shape::max_rank), "{}: {} dimensions; at most {} are supported", what,
        shape.size(), Shape::max_rank);
  Entry entry{name, known->type, {}, 0, 0};
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::uint64_t size = unsigned_at(shape, i, what, "shape");
    check(std::in_range<std::int64_t>(size), "{}: shape ({}...) overflows", what, size);
    entry.sizes.push_back(static_cast<std::int64_t>(size));
  }
  check(offsets.is_array() && offsets.size() == 2, "{}: data_offsets is not a pair", what);
  entry.begin = unsigned_at(offsets, 0, what, "data_offsets");
  entry.end = unsigned_at(offsets, 1, what, "data_offsets");
  return entry;
}

void check_extent(const std::string& what, const Entry& entry, std::uint64_t data_bytes) {
  check(entry.begin <= entry.end && entry.end <= data_bytes, "{}: its bytes [{},{}) lie outside the {} bytes of data",
        what, entry.begin, entry.end, data_bytes);
  const std::optional<std::uint64_t> numel = checked_numel(entry.sizes);
  std::uint64_t needed = 0;
  check(numel && !__builtin_mul_overflow(*numel, size_of(entry.type), &needed), "{}: shape ({}) overflows", what,
        fmt::join(entry.sizes, ","));
  check(entry.end - entry.begin == needed, "{}: shape ({}) needs {} bytes, but it has {}", what,
        fmt::join(entry.sizes, ","), needed, entry.end - entry.begin);
}

/// Sorts the entries by place, and makes sure that they fill the data without gap or overlap.
void check_cover(const std::string& path, std::vector<Entry>& entries, std::uint64_t data_bytes) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t filled = 0;
  const std::string* last = nullptr;
  for (const Entry& entry : entries) {
    check(entry.begin >= filled, "{}: tensor '{}': its data overlaps that of '{}'", path, entry.name,
          last ? *last : "");
    check(entry.begin <= filled, "{}: tensor '{}': {} bytes before its data belong to no tensor", path, entry.name,
          entry.begin - filled);
    filled = entry.end;
    last = &entry.name;
  }
  check(filled == data_bytes, "{}: {} bytes at the end belong to no tensor", path, data_bytes - filled);
}

Metadata parse_metadata(const std::string& path, const Json& value) {
  check(value.is_object(), "{}: its {} is not an object", path, metadata_key);
  Metadata metadata;
  for (const auto& [key, text] : value.items()) {
    check(text.is_string(), "{}: metadata '{}' is not a string", path, key);
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

/// The JSON header with its length before and spaces after it: at least `least` bytes, and a multiple of 64, so that
/// data aligned in the file is aligned for vector loads in the mapping.
std::string finish_header(const std::string& path, const Json& header, std::size_t least) {
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception&) {
    fail("{}: a name or the metadata is not UTF-8", path);
  }
  const std::size_t bytes = (std::max(length_bytes + text.size(), least) + 63) / 64 * 64;
  check(bytes - length_bytes <= longest_header, "{}: names and metadata of {} bytes; at most {} are possible", path,
        text.size(), longest_header);
  text.resize(bytes - length_bytes, ' ');
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), length_bytes) + text;
}

Json start_header(const Metadata& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[metadata_key] = metadata;
  return header;
}

Json describe(DType dtype, const Shape& shape, std::uint64_t begin, std::uint64_t bytes) {
  return {{"dtype", file_name_of(dtype)},
          {"shape", std::vector<std::int64_t>(shape.begin(), shape.end())},
          {"data_offsets", {begin, begin + bytes}}};
}

/// The header of a file, whose entries are checked and in the order of their data.
struct Contents {
  std::shared_ptr<const MappedFile> file;
  std::size_t data_begin = 0;
  std::vector<Entry> entries;
  Metadata metadata;
};

Contents read_contents(const std::string& path) {
  Contents result;
  result.file = std::make_shared<const MappedFile>(path);
  const MappedFile& file = *result.file;
  refuse_foreign(file.bytes(), path);
  check(file.size() >= length_bytes, "{}: not a safetensors file: it has {} bytes", path, file.size());
  std::uint64_t length;
  std::memcpy(&length, file.data(), length_bytes);
  check(length <= longest_header && length <= file.size() - length_bytes && length > 0 &&
            file.bytes()[length_bytes] == '{',
        "{}: not a safetensors file, or cut off: a header of {} bytes in a file of {}", path, length, file.size());
  const Json header = parse_header(path, file.bytes().substr(length_bytes, length));
  result.data_begin = length_bytes + length;
  const std::uint64_t data_bytes = file.size() - result.data_begin;
  for (const auto& [name, value] : header.items()) {
    if (name == metadata_key) {
      result.metadata = parse_metadata(path, value);
      continue;
    }
    check(name.size() <= longest_tensor_name, "{}: a tensor's name of {} bytes; at most {} are supported", path,
          name.size(), longest_tensor_name);
    const std::string what = fmt::format("{}: tensor '{}'", path, name);
    result.entries.push_back(parse_entry(what, name, value));
    check_extent(what, result.entries.back(), data_bytes);
  }
  check_cover(path, result.entries, data_bytes);
  return result;
}

Tensor read_entry(const Contents& contents, const Entry& e, const std::string& path) {
  return stored_tensor(contents.file->data() + contents.data_begin + e.begin, contents.file,
                       Shape(e.sizes.begin(), e.sizes.end()), e.type, fmt::format("{}: tensor '{}'", path, e.name));
}

}  // namespace

SafetensorsFile read_safetensors(const std::string& path) {
  Contents contents = read_contents(path);
  SafetensorsFile result;
  for (const Entry& e : contents.entries) result.tensors.push_back({e.name, read_entry(contents, e, path)});
  result.metadata = std::move(contents.metadata);
  return result;
}

std::vector<FileTensor> open_safetensors(const std::string& path) {
  const auto contents = std::make_shared<const Contents>(read_contents(path));
  std::vector<FileTensor> tensors;
  for (const Entry& e : contents->entries)
    tensors.push_back({e.name, Shape(e.sizes.begin(), e.sizes.end()), loaded_dtype(e.type),
                       [contents, &e, path] { return read_entry(*contents, e, path); }});
  return tensors;
}

void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors, const Metadata& metadata) {
  std::vector<const NamedTensor*> order;
  std::set<std::string> names{metadata_key};
  for (const NamedTensor& t : tensors) {
    check(t.tensor.defined(), "{}: tensor '{}' is undefined", path, t.name);
    check(names.insert(t.name).second, "{}: the name '{}' is reserved or stands twice", path, t.name);
    order.push_back(&t);
  }
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return size_of(a->tensor.dtype()) > size_of(b->tensor.dtype());
  });
  Json header = start_header(metadata);
  std::uint64_t begin = 0;
  for (const NamedTensor* t : order) {
    header[t->name] = describe(t->tensor.dtype(), t->tensor.shape(), begin, t->tensor.bytes());
    begin += t->tensor.bytes();
  }
  AtomicFile file(path);
  file.write(finish_header(path, header, 0));
  for (const NamedTensor* t : order) {
    const Tensor here = t->tensor.detach().to(Device::cpu);
    file.write(here.raw(), here.bytes());
  }
  file.commit();
}

SafetensorsWriter::SafetensorsWriter(const std::string& path, const std::string& name, const Shape& shape, DType dtype,
                                     Metadata metadata)
    : path_(path),
      name_(name),
      shape_(shape),
      dtype_(dtype),
      metadata_(std::move(metadata)),
      header_bytes_(0),
      file_(path) {
  check(name_ != metadata_key, "{}: the name '{}' is reserved", path_, name_);
  check(shape_.rank() > 0, "{}: tensor '{}': rows need a shape (N,...), got a scalar", path_, name_);
  constexpr std::size_t spare = 4096;
  header_bytes_ = header(shape_[0]).size() + spare;
  file_.write(header(0));
}

std::string SafetensorsWriter::header(std::int64_t rows) const {
  const Shape shape = shape_.with(0, rows);
  const std::uint64_t bytes = static_cast<std::uint64_t>(shape.numel()) * size_of(dtype_);
  Json json = start_header(metadata_);
  json[name_] = describe(dtype_, shape, 0, bytes);
  return finish_header(path_, json, header_bytes_);
}

void SafetensorsWriter::append(const Tensor& rows) {
  check(rows.defined() && rows.dtype() == dtype_ && rows.rank() == shape_.rank() &&
            rows.shape().with(0, shape_[0]) == shape_,
        "{}: rows of {} {} do not belong to {} {}", path_, rows.defined() ? name_of(rows.dtype()) : "undefined",
        rows.defined() ? rows.shape().str() : "", name_of(dtype_), shape_.str());
  check(rows.size(0) <= shape_[0] - rows_, "{}: {} rows after {}, but tensor '{}' is {}", path_, rows.size(0), rows_,
        name_, shape_);
  const Tensor here = rows.detach().to(Device::cpu);
  file_.write(here.raw(), here.bytes());
  rows_ += rows.size(0);
}

void SafetensorsWriter::finish() {
  const std::string text = header(rows_);
  check(text.size() == header_bytes_, "{}: the metadata has grown by more than there is room for", path_);
  file_.overwrite(0, text);
  file_.commit();
}

void SafetensorsWriter::finish(Metadata metadata) {
  metadata_ = std::move(metadata);
  finish();
}

}  // namespace glimpse
