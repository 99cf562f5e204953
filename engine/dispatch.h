#pragma once
// From run-time device and type to the kernel overload: the only place where an op meets either.

#include <cstdint>
#include <utility>

#include "glimpse/engine/tensor.h"
#include "glimpse/kernels/base/device.h"

namespace glimpse {

#ifdef GLIMPSE_HAVE_CUDA
inline constexpr bool cuda_built = true;
#else
inline constexpr bool cuda_built = false;
#endif

namespace detail {
[[noreturn]] void no_cuda();
[[noreturn]] void cpu_only(const char* op);
[[noreturn]] void bad_dtype(DType dtype);
/// The stream that all tensors of this process are computed in.
void* current_stream();
}  // namespace detail

constexpr Device device_of(kernels::Cpu) { return Device::cpu; }
constexpr Device device_of(kernels::Cuda) { return Device::cuda; }

/// Calls f with the tag of `device`. In a build without CUDA the CUDA branch is never instantiated, and asking for it
/// throws Error.
template <class F>
decltype(auto) on(Device device, F&& f) {
  if constexpr (cuda_built) {
    if (device == Device::cuda) return std::forward<F>(f)(kernels::Cuda{detail::current_stream()});
  } else {
    if (device == Device::cuda) detail::no_cuda();
  }
  return std::forward<F>(f)(kernels::Cpu{});
}

/// Calls `f.operator()<T>(device tag)` with T = float or double, the types that ops compute in: f is
/// `[&]<class T>(auto device) { ... }`. Throws Error for other types.
template <class F>
decltype(auto) on(const Tensor& x, F&& f) {
  return on(x.device(), [&](auto device) {
    if (x.dtype() == DType::f64) return f.template operator()<double>(device);
    if (x.dtype() != DType::f32) detail::bad_dtype(x.dtype());
    return f.template operator()<float>(device);
  });
}

/// As on(x, f), for an op that has kernels for the CPU alone. Throws Error naming `op` for a tensor on a GPU.
template <class F>
decltype(auto) on_cpu(const char* op, const Tensor& x, F&& f) {
  if (x.device() != Device::cpu) detail::cpu_only(op);
  if (x.dtype() == DType::f64) return f.template operator()<double>(kernels::Cpu{});
  if (x.dtype() != DType::f32) detail::bad_dtype(x.dtype());
  return f.template operator()<float>(kernels::Cpu{});
}

/// Calls `f.operator()<T>()` with the element type of `dtype`, storage types included.
template <class F>
decltype(auto) with_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f64:
      return f.template operator()<double>();
    case DType::i32:
      return f.template operator()<std::int32_t>();
    case DType::bf16:
      return f.template operator()<bf16>();
    case DType::f16:
      return f.template operator()<f16>();
    default:
      return f.template operator()<float>();
  }
}

}  // namespace glimpse
