#pragma once
// Element-wise functions of one and of two arrays. F is a functor of functors.h, T float or double.

#include <cstdint>

#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/functors.h"

namespace glimpse::kernels {

/// y[i] = f.apply(x[i]), i < n. y may be x.
template <class F, class T>
void map(Cpu, F f, std::int64_t n, const T* x, T* y);
template <class F, class T>
void map(Cuda, F f, std::int64_t n, const T* x, T* y);

/// dx[i] = f.gradient(saved[i], dy[i]), i < n. dx may be dy. `saved` is what F::saves names.
template <class F, class T>
void map_gradient(Cpu, F f, std::int64_t n, const T* saved, const T* dy, T* dx);
template <class F, class T>
void map_gradient(Cuda, F f, std::int64_t n, const T* saved, const T* dy, T* dx);

/// How two operands line up with a result of `rank` >= 1 dimensions, outermost first: the result's sizes, and each
/// operand's strides in elements, 0 where it repeats itself. The last strides are 0 or 1.
struct Broadcast {
  int rank;
  std::int64_t sizes[6];
  std::int64_t a_strides[6];
  std::int64_t b_strides[6];
};

/// Both operands have the result's n elements.
inline Broadcast same_shape(std::int64_t n) { return {1, {n}, {1}, {1}}; }

/// y[i] = f.apply(a[...], b[...]). y, contiguous, may be an operand of its own shape.
template <class F, class T>
void zip(Cpu, F f, const Broadcast& shape, const T* a, const T* b, T* y);
template <class F, class T>
void zip(Cuda, F f, const Broadcast& shape, const T* a, const T* b, T* y);

// Of one functor F of functors.h, whose lists name it and hand on what stands behind.
#define GLIMPSE_UNARY_KERNELS(F, name, Device, T)           \
  template void map(Device, F, std::int64_t, const T*, T*); \
  template void map_gradient(Device, F, std::int64_t, const T*, const T*, T*);
#define GLIMPSE_BINARY_KERNELS(F, Device, T) template void zip(Device, F, const Broadcast&, const T*, const T*, T*);
#define GLIMPSE_ELEMENTWISE_KERNELS(Device, T)             \
  GLIMPSE_FOR_EACH_UNARY(GLIMPSE_UNARY_KERNELS, Device, T) \
  GLIMPSE_FOR_EACH_BINARY(GLIMPSE_BINARY_KERNELS, Device, T)

}  // namespace glimpse::kernels
