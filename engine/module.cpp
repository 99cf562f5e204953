#include "glimpse/engine/module.h"

#include <map>

#include "glimpse/kernels/base/check.h"

namespace glimpse {

void load_tensors(const std::vector<NamedTensor>& target, const std::vector<NamedTensor>& source,
                  const std::string& what) {
  std::map<std::string, Tensor> given;
  for (const NamedTensor& s : source) given.emplace(s.name, s.tensor);
  std::vector<std::string> missing, reshaped;
  for (const NamedTensor& t : target) {
    const auto found = given.find(t.name);
    if (found == given.end())
      missing.push_back(t.name);
    else if (found->second.shape() != t.tensor.shape())
      reshaped.push_back(fmt::format("{} is {}, not {}", t.name, found->second.shape(), t.tensor.shape()));
  }
  std::map<std::string, Tensor> left_over = given;
  for (const NamedTensor& t : target) left_over.erase(t.name);

  std::vector<std::string> complaints;
  const auto complain = [&](const char* kind, const std::vector<std::string>& names) {
    constexpr std::size_t shown = 8;
    if (names.empty()) return;
    const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(shown, names.size()));
    complaints.push_back(fmt::format("{} {}: {}{}", names.size(), kind, fmt::join(names.begin(), end, ", "),
                                     names.size() > shown ? ", ..." : ""));
  };
  std::vector<std::string> extra;
  for (const auto& [name, tensor] : left_over) extra.push_back(name);
  complain("missing", missing);
  complain("of another shape", reshaped);
  complain("left over", extra);
  check(complaints.empty(), "{}: tensors do not match: {}", what, fmt::join(complaints, "; "));

  for (const NamedTensor& t : target) t.tensor.copy_from(given.at(t.name).detach().to(t.tensor.dtype()));
}

}  // namespace glimpse
