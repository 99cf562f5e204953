#include "glimpse/models/encoder/weights.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "glimpse/engine/io/tensor_file.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

using FileTensors = std::map<std::string, const FileTensor*, std::less<>>;  // by the names of today

/// How names in a file are made of the encoder's: `stripped` is taken off their beginning, `prefix` put there.
struct Naming {
  std::string prefix, stripped;
  std::size_t hits = 0;  // of the encoder's tensors

  std::string in_file(const std::string& name) const { return prefix + name.substr(stripped.size()); }
};

/// The names of today: torchvision's own DenseNet files still say "norm.1" for "norm1" inside dense layers.
std::string current_name(const std::string& name) {
  if (name.find("denselayer") == std::string::npos) return name;
  static const std::regex old(R"((.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*))");
  return std::regex_replace(name, old, "$1$2");
}

/// If the file simply ends early: how to use it as it is.
std::string early_end_hint(const Network& network, const std::vector<TensorInfo>& tensors) {
  std::set<std::string> given;
  for (const TensorInfo& t : tensors) given.insert(t.name);
  int first_missing = -1, last_given = -1;
  for (const Layer& layer : network.layers) {
    if (layer.name.empty()) continue;
    if (given.contains(layer.name + ".weight") || given.contains(layer.name))
      last_given = layer.stage;
    else if (first_missing < 0)
      first_missing = layer.stage;
  }
  if (first_missing <= 0 || last_given >= first_missing) return "";
  return fmt::format(" (the file ends with stage {0}: ask for --stage {0})",
                     network.stages[static_cast<std::size_t>(first_missing) - 1]);
}

/// What a name in the file puts before `name`, if it ends with that.
bool prefix_before(const std::string& in_file, const std::string& name, std::string& prefix) {
  if (!in_file.ends_with(name)) return false;
  prefix = in_file.substr(0, in_file.size() - name.size());
  return prefix.empty() || prefix.back() == '.';
}

/// All ways to find the encoder's first or last tensor in the file.
std::vector<Naming> possible_namings(const std::vector<NamedTensor>& wanted, const FileTensors& file) {
  std::vector<Naming> namings;
  std::set<std::pair<std::string, std::string>> seen;
  for (const std::string stripped : {"", "features."}) {
    const auto begins_so = [&](const NamedTensor& t) { return t.name.starts_with(stripped); };
    if (!std::all_of(wanted.begin(), wanted.end(), begins_so)) continue;
    for (const std::string& end : {wanted.front().name, wanted.back().name})
      for (const auto& [name, tensor] : file)
        if (Naming n{"", stripped}; prefix_before(name, end.substr(stripped.size()), n.prefix) &&
                                    (stripped.empty() || !n.prefix.ends_with(stripped)) &&
                                    seen.insert({n.prefix, stripped}).second)
          namings.push_back(n);
  }
  for (Naming& n : namings)
    n.hits = static_cast<std::size_t>(std::count_if(
        wanted.begin(), wanted.end(), [&](const NamedTensor& t) { return file.contains(n.in_file(t.name)); }));
  return namings;
}

/// Trainers keep running averages of the weights beside them.
bool is_average(const Naming& n) {
  static const std::regex average(R"((^|[._])(ema|swa|averaged?)([._]|$))", std::regex::icase);
  return std::regex_search(n.prefix, average);
}

/// The naming that finds all tensors, else that which finds most. Throws Error where several find all.
Naming best_naming(const std::vector<NamedTensor>& wanted, const FileTensors& file, const std::string& path) {
  std::vector<Naming> namings = possible_namings(wanted, file);
  namings.insert(namings.begin(), Naming{});  // what errors are said of where nothing is found
  std::stable_sort(namings.begin(), namings.end(), [](const Naming& a, const Naming& b) {
    if (a.hits != b.hits) return a.hits > b.hits;
    return std::pair(is_average(a), a.prefix.size()) < std::pair(is_average(b), b.prefix.size());
  });
  const Naming& first = namings[0];
  const auto as_good = [&](const Naming& n) {
    return n.hits == wanted.size() && is_average(n) == is_average(first) && n.prefix != first.prefix;
  };
  const auto other = std::find_if(namings.begin(), namings.end(), as_good);
  check(first.hits < wanted.size() || first.prefix.empty() || other == namings.end(),
        "{}: holds weights for the encoder under '{}' and under '{}'; save one of them alone", path, first.prefix,
        other == namings.end() ? "" : other->prefix);
  return first;
}

bool is_classifier(std::string_view name) {
  for (const char* start : {"classifier.", "fc.", "_fc.", "head.", "heads.", "last_linear."})
    if (name.starts_with(start)) return true;
  return false;
}

std::string describe(const Naming& naming, std::size_t beside, const std::string& path) {
  if (naming.prefix.empty() && naming.stripped.empty()) return "";
  std::string note = naming.prefix.empty() ? fmt::format("{}: names without their '{}'", path, naming.stripped)
                                           : fmt::format("{}: the weights are those under '{}'", path, naming.prefix);
  if (beside > 0) note += fmt::format("; {} other tensors are not used", beside);
  return note;
}

/// What a file holds for an encoder, or for one of several side by side.
struct FileWeights {
  std::vector<NamedTensor> tensors;  // under the encoder's names
  EncoderWeights report;
};

/// Reads the weights of `target`, which are under the names of the file's own network; those of `beyond` may be there
/// besides.
FileWeights read_weights(const Encoder& encoder, const std::vector<NamedTensor>& target,
                         const std::set<std::string>& beyond, const std::string& path) {
  const std::vector<FileTensor> tensors = open_tensors(path);
  check(!tensors.empty(), "{}: holds no tensors", path);
  FileTensors file;
  for (const FileTensor& t : tensors) file.emplace(current_name(t.name), &t);
  const Naming naming = best_naming(target, file, path);

  std::set<std::string> wanted;
  std::vector<TensorInfo> wanted_shapes, given;
  for (const NamedTensor& t : target) {
    wanted.insert(t.name);
    wanted_shapes.push_back({t.name, t.tensor.shape()});
  }
  FileWeights result{{}, {naming.prefix, {}, ""}};
  std::size_t beside = 0;
  std::vector<std::pair<std::string, const FileTensor*>> found;
  for (const auto& [name, tensor] : file) {
    if (!name.starts_with(naming.prefix)) {
      ++beside;
      continue;
    }
    const std::string plain = naming.stripped + name.substr(naming.prefix.size());
    if (plain.ends_with(".num_batches_tracked")) continue;  // PyTorch's count of training steps: no weight
    if (!wanted.contains(plain) && (is_classifier(plain) || beyond.contains(plain))) {
      result.report.left_over.push_back(plain);
      continue;
    }
    given.push_back({plain, tensor->shape});
    found.emplace_back(plain, tensor);
  }
  result.report.note = describe(naming, beside, path);
  try {
    check_names_and_shapes(wanted_shapes, given, path);
  } catch (const Error& e) {
    fail("{}{}; expected was {}", e.what(), early_end_hint(encoder.network(), given), encoder.description());
  }
  for (const auto& [name, tensor] : found) result.tensors.push_back({name, tensor->read()});
  check_finite(result.tensors, path);
  return result;
}

}  // namespace

std::vector<std::string> weight_files(const std::string& encoder, const std::string& path) {
  const std::size_t count = encoder_parts(encoder).size();
  if (count == 1) return {path};
  std::vector<std::string> files = encoder_parts(path);
  check(files.size() == count, "{}: names {} files; encoder {} needs {}, with + between them", path, files.size(),
        encoder, count);
  return files;
}

EncoderWeights load_encoder_weights(Encoder& encoder, const std::string& path) {
  const std::vector<std::string> names = encoder_parts(encoder.options().name);
  const std::vector<std::string> files = weight_files(encoder.options().name, path);
  const std::vector<NamedTensor> all = named_tensors(encoder);
  EncoderWeights result;
  std::vector<NamedTensor> source;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string prefix = names.size() > 1 ? names[i] + "." : "";
    std::vector<NamedTensor> target;
    for (const NamedTensor& t : all)
      if (t.name.starts_with(prefix)) target.push_back({t.name.substr(prefix.size()), t.tensor});
    std::set<std::string> beyond;
    for (const std::string& name : encoder.beyond())
      if (name.starts_with(prefix)) beyond.insert(name.substr(prefix.size()));
    FileWeights part = read_weights(encoder, target, beyond, files[i]);
    for (const NamedTensor& t : part.tensors) source.push_back({prefix + t.name, t.tensor});
    if (i == 0) result.prefix = part.report.prefix;
    for (const std::string& name : part.report.left_over) result.left_over.push_back(prefix + name);
    if (!part.report.note.empty()) result.note += (result.note.empty() ? "" : "\n") + part.report.note;
  }
  load_tensors(all, source, path);
  return result;
}

}  // namespace glimpse
