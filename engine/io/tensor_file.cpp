#include "glimpse/engine/io/tensor_file.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>

#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/engine/io/torch_file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"

namespace glimpse {
namespace {

/// Those of the largest language models have 10 MB; parsed, an index takes up to twenty times its length.
constexpr std::size_t largest_index = 16 << 20;

/// An index of parts begins as JSON; a safetensors file with the length of its header, then "{".
bool is_index(std::string_view bytes) {
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && bytes[first] == '{' && bytes.size() <= largest_index;
}
bool is_safetensors(std::string_view bytes) {
  return bytes.size() > 8 && bytes[8] == '{' && !bytes.starts_with("PK\3\4");
}

/// Names of tensors by the file that holds them, as {"weight_map": {"name": "file", ...}} says.
std::map<std::string, std::set<std::string>> read_index(const std::string& path) {
  const std::string neither = path + ": neither weights nor an index of them, which is JSON with a \"weight_map\"";
  const nlohmann::json json = parse_json(read_text_file(path), neither);
  check(json.is_object() && json.contains("weight_map") && json["weight_map"].is_object(), "{}", neither);
  std::map<std::string, std::set<std::string>> parts;
  for (const auto& [name, file] : json["weight_map"].items()) {
    check(file.is_string(), "{}: the file of tensor '{:.200}' is no name", path, name);
    const auto& part = file.get_ref<const std::string&>();
    check(!part.empty() && part != "." && part != ".." && part.find('/') == std::string::npos,
          "{}: names the file '{:.200}', which does not lie beside it", path, part);
    parts[part].insert(name);
  }
  return parts;
}

std::string beside(const std::string& path, const std::string& file) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? file : path.substr(0, slash + 1) + file;
}

std::vector<FileTensor> open_one(const std::string& path, std::string_view bytes) {
  return is_safetensors(bytes) ? open_safetensors(path) : open_torch_file(path);
}

std::vector<FileTensor> open_parts(const std::string& index) {
  std::vector<FileTensor> all;
  for (const auto& [part, names] : read_index(index)) {
    const std::string path = beside(index, part);
    const MappedFile file(path);
    std::set<std::string> missing = names;
    for (FileTensor& tensor : open_one(path, file.bytes())) {
      if (names.contains(tensor.name)) all.push_back(tensor);
      missing.erase(tensor.name);
    }
    check(missing.empty(), "{}: has no tensor '{:.200}', which {} says it has", path,
          missing.empty() ? "" : *missing.begin(), index);
  }
  return all;
}

/// Whether all of n words, with the exponent's bits `mask`, are finite. Where all of these are set, adding the lowest
/// carries into the sign's place: no comparison, so that a vector holds as many words as fit.
template <class Word>
bool all_finite(const Word* x, std::int64_t n, Word mask) {
  const Word lowest = mask & static_cast<Word>(~mask + 1), carry = static_cast<Word>(mask + lowest);
  std::atomic<bool> finite = true;
  kernels::parallel_for(n, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    Word sums = 0;
    for (std::int64_t i = begin; i < end; ++i) sums |= static_cast<Word>((x[i] & mask) + lowest);
    if ((sums & carry) != 0) finite = false;
  });
  return finite;
}

bool is_finite(const Tensor& x) {
  const std::int64_t n = x.numel();
  switch (x.dtype()) {
    case DType::f32:
      return all_finite(static_cast<const std::uint32_t*>(x.raw()), n, 0x7f800000u);
    case DType::f64:
      return all_finite(static_cast<const std::uint64_t*>(x.raw()), n, std::uint64_t{0x7ff} << 52);
    case DType::f16:
      return all_finite(static_cast<const std::uint16_t*>(x.raw()), n, std::uint16_t{0x7c00});
    case DType::bf16:
      return all_finite(static_cast<const std::uint16_t*>(x.raw()), n, std::uint16_t{0x7f80});
    default:
      return true;
  }
}

}  // namespace

std::vector<FileTensor> open_tensors(const std::string& path) {
  const MappedFile file(path);
  if (!is_safetensors(file.bytes()) && is_index(file.bytes())) return open_parts(path);
  return open_one(path, file.bytes());
}

std::vector<std::string> tensor_files(const std::string& path) {
  const MappedFile file(path);
  std::vector<std::string> paths{path};
  if (is_safetensors(file.bytes()) || !is_index(file.bytes())) return paths;
  for (const auto& [part, names] : read_index(path)) paths.push_back(beside(path, part));
  return paths;
}

std::vector<NamedTensor> read_tensors(const std::string& path) {
  std::uint64_t on_disk = 0, in_memory = 0;
  for (const std::string& file : tensor_files(path)) on_disk += MappedFile(file).size();
  std::vector<NamedTensor> tensors;
  for (const FileTensor& t : open_tensors(path)) {
    constexpr std::uint64_t spare = 64 << 20;
    in_memory += static_cast<std::uint64_t>(t.shape.numel()) * size_of(t.dtype);
    check(in_memory <= 4 * on_disk + spare, "{}: its tensors stand for more than four times the file's {} bytes", path,
          on_disk);
    tensors.push_back({t.name, t.read()});
  }
  return tensors;
}

void check_names_and_shapes(const std::vector<TensorInfo>& wanted, const std::vector<TensorInfo>& given,
                            const std::string& what) {
  std::map<std::string_view, const Shape*> left_over;
  for (const TensorInfo& g : given) left_over.emplace(g.name, &g.shape);
  std::vector<std::string> missing, reshaped;
  for (const TensorInfo& w : wanted) {
    const auto found = left_over.find(w.name);
    if (found == left_over.end())
      missing.push_back(w.name);
    else if (*found->second != w.shape)
      reshaped.push_back(fmt::format("{} is {}, not {}", w.name, *found->second, w.shape));
    if (found != left_over.end()) left_over.erase(found);
  }
  std::vector<std::string> extra, complaints;
  for (const auto& [name, shape] : left_over) extra.emplace_back(name);
  const auto complain = [&](const char* kind, const std::vector<std::string>& names) {
    constexpr std::size_t shown = 8;
    if (names.empty()) return;
    const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(shown, names.size()));
    complaints.push_back(fmt::format("{} {}: {}{}", names.size(), kind, fmt::join(names.begin(), end, ", "),
                                     names.size() > shown ? ", ..." : ""));
  };
  complain("missing", missing);
  complain("of another shape", reshaped);
  complain("left over", extra);
  check(complaints.empty(), "{}: tensors do not match: {}", what, fmt::join(complaints, "; "));
}

void check_finite(const std::vector<NamedTensor>& tensors, const std::string& what) {
  for (const NamedTensor& t : tensors)
    check(is_finite(t.tensor), "{}: tensor '{}' holds NaN or infinity", what, t.name);
}

}  // namespace glimpse
