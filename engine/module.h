#pragma once
// Modules: plain structs of tensors and other modules that can name their parts. A module is anything with
//   void visit(Visitor& v) { v("weight", weight); v("cell", cell); v.buffer("running_mean", mean); }
// Names join with dots, as in PyTorch: "layer1.0.conv1.weight".

#include <concepts>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// A tensor of a module under its full name. Buffers (running statistics) are saved but not trained.
struct NamedTensor {
  std::string name;
  Tensor tensor;
  bool trainable = true;
};

class Visitor;

template <class M>
concept ModuleLike = requires(M& module, Visitor& visitor) {
  module.visit(visitor);
};

/// Walks the parts of modules and keeps the path.
class Visitor {
 public:
  /// `take` is called with the full name of each tensor, the member itself, and whether it is trainable.
  explicit Visitor(std::function<void(const std::string& name, Tensor& tensor, bool trainable)> take)
      : take_(std::move(take)) {}

  void operator()(const std::string& name, Tensor& parameter) { take_(path_ + name, parameter, true); }
  void buffer(const std::string& name, Tensor& tensor) { take_(path_ + name, tensor, false); }
  template <ModuleLike M>
  void operator()(const std::string& name, M& child) {
    const std::size_t length = path_.size();
    path_ += name + ".";
    child.visit(*this);
    path_.resize(length);
  }
  /// A list of modules: name.0, name.1, ...
  template <ModuleLike M>
  void operator()(const std::string& name, std::vector<M>& children) {
    for (std::size_t i = 0; i < children.size(); ++i) (*this)(name + "." + std::to_string(i), children[i]);
  }

 private:
  std::function<void(const std::string&, Tensor&, bool)> take_;
  std::string path_;
};

/// All defined tensors of a module, parameters and buffers, in the order of its visit().
template <ModuleLike M>
std::vector<NamedTensor> named_tensors(M& module) {
  std::vector<NamedTensor> result;
  Visitor visitor([&](const std::string& name, Tensor& tensor, bool trainable) {
    if (tensor.defined()) result.push_back({name, tensor, trainable});
  });
  module.visit(visitor);
  return result;
}

/// What an optimizer takes: the trainable tensors that require a gradient, of one module or of several (then named
/// "0.weight", "1.weight", ...).
template <ModuleLike M, ModuleLike... More>
std::vector<NamedTensor> parameters(M& module, More&... more) {
  std::vector<NamedTensor> result;
  Visitor visitor([&](const std::string& name, Tensor& tensor, bool trainable) {
    if (tensor.defined() && trainable && tensor.requires_grad()) result.push_back({name, tensor, true});
  });
  if constexpr (sizeof...(more) == 0) {
    module.visit(visitor);
  } else {
    int index = 0;
    visitor(std::to_string(index++), module);
    (visitor(std::to_string(index++), more), ...);
  }
  return result;
}

namespace detail {
/// Puts change(tensor) in the place of every defined tensor; trainable ones stay so, without their gradients.
template <ModuleLike M, class Change>
void replace_tensors(M& module, Change change) {
  Visitor visitor([&](const std::string&, Tensor& tensor, bool) {
    if (!tensor.defined()) return;
    const bool trained = tensor.requires_grad();
    tensor = change(tensor.detach());
    if (trained) tensor.set_requires_grad();
  });
  module.visit(visitor);
}
}  // namespace detail

/// Gives every floating-point tensor of a module this type (f32 or f64), as a new tensor; trainable ones stay so,
/// without their gradients. Before an optimizer takes the parameters.
template <ModuleLike M>
void convert(M& module, DType dtype) {
  detail::replace_tensors(module, [&](const Tensor& x) { return x.dtype() == DType::i32 ? x : x.to(dtype); });
}

/// Moves every tensor of a module to this device, as a new tensor; trainable ones stay so, without their gradients.
/// Before an optimizer takes the parameters. Throws Error where there is no such device.
template <ModuleLike M>
void move_to(M& module, Device device) {
  detail::replace_tensors(module, [&](const Tensor& x) { return x.to(device); });
}

/// Gives a module memory of its own, as new tensors; trainable ones stay so, without their gradients.
template <ModuleLike M>
void copy_tensors(M& module) {
  detail::replace_tensors(module, [](const Tensor& x) { return x.clone(); });
}

/// Copies every tensor of `source` into the tensor of the same name in `target`, converting the type. Throws Error that
/// lists, by name, what is missing, what is left over, and what has another shape; then nothing was copied. `what` says
/// in the message where the tensors come from.
void load_tensors(const std::vector<NamedTensor>& target, const std::vector<NamedTensor>& source,
                  const std::string& what);

namespace detail {
/// The tensor of each name. Throws what load_tensors throws.
std::map<std::string, Tensor> fitting_tensors(const std::vector<NamedTensor>& target,
                                              const std::vector<NamedTensor>& source, const std::string& what);
}  // namespace detail

/// The same, but what has the right type is not copied: the module shares the memory of `source` from then on (a
/// mapped file, say). Its tensors are new ones, without gradients. Before an optimizer takes the parameters.
template <ModuleLike M>
void adopt_tensors(M& module, const std::vector<NamedTensor>& source, const std::string& what) {
  const std::map<std::string, Tensor> given = detail::fitting_tensors(named_tensors(module), source, what);
  Visitor visitor([&](const std::string& name, Tensor& tensor, bool) {
    if (tensor.defined()) tensor = given.at(name).detach().to(tensor.dtype());
  });
  module.visit(visitor);
}

}  // namespace glimpse
