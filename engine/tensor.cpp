#include "glimpse/engine/tensor.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/convert.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse {
namespace {

void copy_memory(const void* from, Device source, void* to, Device target, std::size_t bytes) {
  const Device busy = source == Device::cuda ? source : target;
  on(busy, [&](auto tag) {
    if constexpr (std::is_same_v<decltype(tag), kernels::Cuda>) {
      if (source == target)
        cuda::copy_on_device(to, from, bytes, tag.stream);
      else if (target == Device::cuda)
        cuda::copy_to_device(to, from, bytes, tag.stream);
      else
        cuda::copy_to_host(to, from, bytes, tag.stream);
    } else {
      kernels::copy_bytes(tag, static_cast<std::int64_t>(bytes), from, to);
    }
  });
}

/// "matmul" of "glimpse::Tensor glimpse::matmul(const glimpse::Tensor&, ...)".
std::string plain_name(std::string_view function) {
  function = function.substr(0, function.find('('));
  const std::size_t before = function.find_last_of(": ");
  return std::string(before == std::string_view::npos ? function : function.substr(before + 1));
}

}  // namespace

Tensor::Tensor(const Shape& shape, DType dtype, Device device, const char* caller) try
    : storage_(std::make_shared<Storage>(static_cast<std::size_t>(shape.numel()) * size_of(dtype), device)),
      shape_(shape),
      dtype_(dtype) {
} catch (const OutOfMemory& e) {
  throw OutOfMemory(fmt::format("{}: {} {}: {}", plain_name(caller), shape, name_of(dtype), e.what()));
}

Tensor::Tensor(std::shared_ptr<Storage> storage, std::size_t offset, const Shape& shape, DType dtype)
    : storage_(std::move(storage)), offset_(offset), shape_(shape), dtype_(dtype) {
  check(storage_ != nullptr, "tensor: no storage");
  check(offset_ % size_of(dtype) == 0 && offset_ <= storage_->bytes() && bytes() <= storage_->bytes() - offset_,
        "tensor: {} {} at byte {} does not fit a storage of {} bytes", name_of(dtype), shape, offset,
        storage_->bytes());
}

Device Tensor::device() const {
  check(defined(), "undefined tensor");
  return storage_->device();
}

void* Tensor::raw() const {
  check(defined(), "undefined tensor");
  return static_cast<char*>(storage_->data()) + offset_;
}

void Tensor::require(DType expected) const {
  check(defined(), "undefined tensor");
  check(dtype_ == expected, "tensor {} is {}, not {}", shape_, name_of(dtype_), name_of(expected));
}

Tensor Tensor::reshape(const Shape& shape) const {
  check(defined(), "reshape: undefined tensor");
  check(shape.numel() == numel(), "reshape: {} has {} elements, {} has {}", shape_, numel(), shape, shape.numel());
  if (shape == shape_) return *this;
  Tensor y = detach();
  y.shape_ = shape;
  return differentiable("reshape", y, {*this}, [before = shape_](const Tensor& dy) { return dy.reshape(before); });
}

Tensor Tensor::reshape(std::initializer_list<std::int64_t> sizes) const {
  check(defined(), "reshape: undefined tensor");
  std::vector<std::int64_t> list(sizes);
  const auto inferred = std::find(list.begin(), list.end(), -1);
  if (inferred != list.end()) {
    std::int64_t known = 1;
    for (std::int64_t size : list) known *= size == -1 ? 1 : size;
    check(known > 0 && numel() % known == 0, "reshape: cannot infer a size of ({}) for {}", fmt::join(list, ","),
          shape_);
    *inferred = numel() / known;
  }
  return reshape(Shape(list.begin(), list.end()));
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t end) const {
  check(defined() && rank() > 0, "rows: a tensor with at least one dimension is needed");
  check(0 <= begin && begin <= end && end <= size(0), "rows: [{},{}) of {}", begin, end, shape_);
  Tensor y = detach();
  y.shape_ = shape_.with(0, end - begin);
  const std::int64_t row = size(0) == 0 ? 0 : numel() / size(0);
  y.offset_ += static_cast<std::size_t>(begin * row) * size_of(dtype_);
  return differentiable("rows", y, {*this}, [shape = shape_, begin, end](const Tensor& dy) {
    Tensor dx = zeros(shape, dy.dtype(), dy.device());
    dx.rows(begin, end).copy_from(dy);
    return dx;
  });
}

Tensor Tensor::detach() const {
  Tensor y = *this;
  y.variable_ = nullptr;
  return y;
}

Tensor Tensor::clone() const {
  Tensor y(shape_, dtype_, device());
  y.copy_from(*this);
  return y;
}

Tensor Tensor::to(DType dtype) const {
  check(defined(), "to: undefined tensor");
  if (dtype == dtype_) return *this;
  Tensor y(shape_, dtype, device());
  on(device(), [&](auto tag) {
    with_dtype(dtype_, [&]<class From>() {
      with_dtype(dtype, [&]<class To>() { kernels::convert(tag, numel(), data<From>(), y.data<To>()); });
    });
  });
  if (dtype != DType::f32 && dtype != DType::f64) return y;
  return differentiable("to", y, {*this}, [before = dtype_](const Tensor& dy) { return dy.to(before); });
}

Tensor Tensor::to(Device target) const {
  const Device source = device();
  if (target == source) return *this;
  Tensor y(shape_, dtype_, target);
  y.copy_from(*this);
  return differentiable("to", y, {*this}, [source](const Tensor& dy) { return dy.to(source); });
}

double Tensor::item() const {
  check(defined() && numel() == 1, "item: one element is needed, got {}",
        defined() ? shape_.str() : "an undefined tensor");
  return to_vector<double>()[0];
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Tensor converted = detach().to(Device::cpu).to(dtype_of<T>);
  const T* first = converted.data<T>();
  return std::vector<T>(first, first + numel());
}

void Tensor::copy_from(const Tensor& source) const {
  check(source.defined(), "copy: undefined source");
  check(source.shape_ == shape_ && source.dtype_ == dtype_, "copy: {} {} cannot hold {} {}", name_of(dtype_), shape_,
        name_of(source.dtype_), source.shape_);
  // Rows of one tensor may overlap each other.
  const Tensor from = source.storage_ == storage_ ? source.clone() : source;
  copy_memory(from.raw(), from.device(), raw(), device(), bytes());
}

void Tensor::fill(double value) const {
  on(device(), [&](auto tag) {
    with_dtype(dtype_, [&]<class T>() {
      if constexpr (std::is_arithmetic_v<T>)
        kernels::fill(tag, numel(), static_cast<T>(value), data<T>());
      else
        kernels::fill(tag, numel(), T(static_cast<float>(value)), data<T>());
    });
  });
}

Tensor empty(const Shape& shape, DType dtype, Device device, const char* caller) {
  return Tensor(shape, dtype, device, caller);
}
Tensor empty_like(const Tensor& x, const char* caller) { return Tensor(x.shape(), x.dtype(), x.device(), caller); }
Tensor full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor x(shape, dtype, device);
  x.fill(value);
  return x;
}
Tensor zeros(const Shape& shape, DType dtype, Device device, const char* caller) {
  Tensor x(shape, dtype, device, caller);
  x.fill(0);
  return x;
}
Tensor zeros_like(const Tensor& x, const char* caller) { return zeros(x.shape(), x.dtype(), x.device(), caller); }

template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape) {
  check(static_cast<std::int64_t>(values.size()) == shape.numel(), "from: {} values for {}", values.size(), shape);
  Tensor x(shape, dtype_of<T>, Device::cpu);
  if (!values.empty()) std::memcpy(x.raw(), values.data(), x.bytes());
  return x;
}

template Tensor from_vector(const std::vector<float>&, const Shape&);
template Tensor from_vector(const std::vector<double>&, const Shape&);
template Tensor from_vector(const std::vector<std::int32_t>&, const Shape&);
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<std::int32_t> Tensor::to_vector() const;

}  // namespace glimpse
