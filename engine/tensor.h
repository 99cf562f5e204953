#pragma once
// The tensor: a handle to a contiguous, row-major array on one device.

#include <cstdint>
#include <memory>
#include <source_location>
#include <type_traits>
#include <vector>

#include "glimpse/engine/dtype.h"
#include "glimpse/engine/memory.h"
#include "glimpse/engine/shape.h"

namespace glimpse {

struct Variable;  // the autograd side of a tensor; private (engine/internal/variable.h)

/// Copies of a tensor share memory and gradient; clone() does not. Always contiguous. A default-constructed tensor is
/// undefined: it has no memory, and every use but defined() throws Error.
class Tensor {
 public:
  Tensor() = default;
  /// Uninitialised memory. Prefer empty(), zeros(), full(), from_vector(). Throws OutOfMemory naming `caller`, by
  /// default the calling function, shape and type.
  Tensor(const Shape& shape, DType dtype, Device device,
         const char* caller = std::source_location::current().function_name());
  /// `shape` elements of `dtype`, `offset` bytes into an existing storage. Throws Error if they do not fit.
  Tensor(std::shared_ptr<Storage> storage, std::size_t offset, const Shape& shape, DType dtype);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  std::int64_t size(int dim) const { return shape_[dim]; }
  std::int64_t numel() const { return shape_.numel(); }
  DType dtype() const { return dtype_; }
  Device device() const;

  /// First element. Throws Error when T is not the tensor's type.
  template <class T>
  T* data() const {
    require(dtype_of<T>);
    return static_cast<T*>(raw());
  }
  /// First byte.
  void* raw() const;
  std::size_t bytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype_); }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

  /// The same elements under another shape; shares memory, differentiable. One size may be -1: it is inferred.
  Tensor reshape(std::initializer_list<std::int64_t> sizes) const;
  Tensor reshape(const Shape& shape) const;
  /// Rows [begin, end) of dimension 0; shares memory, differentiable.
  Tensor rows(std::int64_t begin, std::int64_t end) const;
  /// The same memory without its history.
  Tensor detach() const;
  /// A copy of the values, without history.
  Tensor clone() const;
  /// Converted to another type (differentiable between f32 and f64) or moved to another device; itself when nothing
  /// changes.
  Tensor to(DType dtype) const;
  Tensor to(Device device) const;
  /// The value of a tensor of one element. Throws Error for more.
  double item() const;
  /// All values, converted, on the host.
  template <class T>
  std::vector<T> to_vector() const;

  /// Overwrites the values with those of `source` (same shape and type; any device). No gradient is recorded.
  void copy_from(const Tensor& source) const;
  /// Overwrites every element.
  void fill(double value) const;

  /// Whether gradients flow to or through this tensor.
  bool requires_grad() const;
  /// Makes this a leaf that collects a gradient (or no longer does). Floating-point tensors without history only.
  Tensor& set_requires_grad(bool value = true);
  /// The gradient that backward() has accumulated in this leaf; undefined before the first.
  Tensor grad() const;
  /// Makes `gradient` (same shape and type) this leaf's gradient: backward() adds into that memory.
  void set_grad(const Tensor& gradient) const;
  /// Forgets the gradient.
  void clear_grad() const;

  /// Accumulates the gradients of this scalar (or of sum(dy * this)) in all leaves that it depends on, and frees the
  /// graph on the way. Throws Error when nothing here requires a gradient or the graph was walked before.
  void backward() const;
  void backward(const Tensor& dy) const;

 private:
  friend struct Variable;
  void require(DType expected) const;

  std::shared_ptr<Storage> storage_;
  std::size_t offset_ = 0;
  Shape shape_;
  DType dtype_ = DType::f32;
  std::shared_ptr<Variable> variable_;
};

/// Uninitialised.
Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu,
             const char* caller = std::source_location::current().function_name());
Tensor empty_like(const Tensor& x, const char* caller = std::source_location::current().function_name());
Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu,
             const char* caller = std::source_location::current().function_name());
Tensor zeros_like(const Tensor& x, const char* caller = std::source_location::current().function_name());
Tensor full(const Shape& shape, double value, DType dtype = DType::f32, Device device = Device::cpu);
/// A CPU tensor with a copy of `values`. Throws Error when their number is not that of `shape`.
template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape);
template <class T>
Tensor from_vector(const std::vector<T>& values) {
  return from_vector(values, {static_cast<std::int64_t>(values.size())});
}

extern template Tensor from_vector(const std::vector<float>&, const Shape&);
extern template Tensor from_vector(const std::vector<double>&, const Shape&);
extern template Tensor from_vector(const std::vector<std::int32_t>&, const Shape&);
extern template std::vector<float> Tensor::to_vector() const;
extern template std::vector<double> Tensor::to_vector() const;
extern template std::vector<std::int32_t> Tensor::to_vector() const;

}  // namespace glimpse
