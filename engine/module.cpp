#include "glimpse/engine/module.h"

#include "glimpse/engine/io/tensor_file.h"

namespace glimpse {

std::map<std::string, Tensor> detail::fitting_tensors(const std::vector<NamedTensor>& target,
                                                      const std::vector<NamedTensor>& source, const std::string& what) {
  std::map<std::string, Tensor> given;
  for (const NamedTensor& s : source) given.emplace(s.name, s.tensor);
  std::vector<TensorInfo> wanted, present;
  for (const NamedTensor& t : target) wanted.push_back({t.name, t.tensor.shape()});
  for (const auto& [name, tensor] : given) present.push_back({name, tensor.shape()});
  check_names_and_shapes(wanted, present, what);
  return given;
}

void load_tensors(const std::vector<NamedTensor>& target, const std::vector<NamedTensor>& source,
                  const std::string& what) {
  const std::map<std::string, Tensor> given = detail::fitting_tensors(target, source, what);
  for (const NamedTensor& t : target) t.tensor.copy_from(given.at(t.name).detach().to(t.tensor.dtype()));
}

}  // namespace glimpse
