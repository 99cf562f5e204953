#pragma once
// Element-wise functions and their derivatives, written once for every device. A new one of one tensor: a struct here
// and an entry in the list at the end, which makes it an op of the engine.

#include "glimpse/kernels/base/host_device.h"
#include "glimpse/kernels/base/math.h"

namespace glimpse::kernels {

/// What gradient() of a unary functor wants as `saved`. The result is preferred: the next op often keeps it anyway.
enum class Saves { nothing, input, result };

// Unary: y = apply(x), dx = gradient(saved, dy).

/// scale x + shift.
struct Affine {
  double scale, shift;
  static constexpr Saves saves = Saves::nothing;
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T x) const {
    return static_cast<T>(scale) * x + static_cast<T>(shift);
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T gradient(T, T dy) const {
    return static_cast<T>(scale) * dy;
  }
};

/// Comparisons are written so that NaN stays NaN.
struct Relu {
  static constexpr Saves saves = Saves::result;
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T x) const {
    return x < T(0) ? T(0) : x;
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T gradient(T y, T dy) const {
    return y <= T(0) ? T(0) : dy;
  }
};

struct Relu6 {
  static constexpr Saves saves = Saves::result;
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T x) const {
    const T low = x < T(0) ? T(0) : x;
    return low > T(6) ? T(6) : low;
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T gradient(T y, T dy) const {
    const T low = y <= T(0) ? T(0) : dy;
    return y >= T(6) ? T(0) : low;
  }
};

struct Tanh {
  static constexpr Saves saves = Saves::result;
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T x) const {
    return kernels::tanh(x);
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T gradient(T y, T dy) const {
    return dy * (T(1) - y) * (T(1) + y);
  }
};

struct Sigmoid {
  static constexpr Saves saves = Saves::result;
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T x) const {
    return kernels::sigmoid(x);
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T gradient(T y, T dy) const {
    return dy * y * (T(1) - y);
  }
};

/// x sigmoid(x) (arXiv 1702.03118, 1710.05941).
struct Silu {
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T x) const {
    return x * kernels::sigmoid(x);
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T gradient(T x, T dy) const {
    const T s = kernels::sigmoid(x);
    return dy * (s + x * s * (T(1) - s));
  }
};

/// x Phi(x), Phi the normal distribution (arXiv 1606.08415), by erf and not by its approximation.
struct Gelu {
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIMPSE_HOST_DEVICE static T phi(T x) {
    return T(0.5) + T(0.5) * kernels::erf(x * T(0.70710678118654752));
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T x) const {
    return x * phi(x);
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T gradient(T x, T dy) const {
    const T density = kernels::exp(T(-0.5) * x * x) * T(0.39894228040143268);
    return dy * (phi(x) + x * density);
  }
};

struct Exp {
  static constexpr Saves saves = Saves::result;
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T x) const {
    return kernels::exp(x);
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T gradient(T y, T dy) const {
    return dy * y;
  }
};

struct Log {
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T x) const {
    return std::log(x);
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T gradient(T x, T dy) const {
    return dy / x;
  }
};

struct Square {
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T x) const {
    return x * x;
  }
  template <class T>
  GLIMPSE_HOST_DEVICE T gradient(T x, T dy) const {
    return T(2) * x * dy;
  }
};

// Binary: y = apply(a, b). Their derivatives are binary functions again: engine/ops/elementwise.cpp says which.

struct Add {
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T a, T b) const {
    return a + b;
  }
};

struct Subtract {
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T a, T b) const {
    return a - b;
  }
};

struct Multiply {
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T a, T b) const {
    return a * b;
  }
};

struct Divide {
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T a, T b) const {
    return a / b;
  }
};

/// a + scale b.
struct AddScaled {
  double scale;
  template <class T>
  GLIMPSE_HOST_DEVICE T apply(T a, T b) const {
    return a + static_cast<T>(scale) * b;
  }
};

// The ops of one tensor, functor and name: engine/ops.h declares them and engine/ops/elementwise.cpp defines them from
// this list.
#define GLIMPSE_FOR_EACH_UNARY_OP(op, ...)                                                                          \
  op(Relu, relu, __VA_ARGS__) op(Relu6, relu6, __VA_ARGS__) op(Tanh, tanh, __VA_ARGS__) op(Silu, silu, __VA_ARGS__) \
      op(Gelu, gelu, __VA_ARGS__) op(Sigmoid, sigmoid, __VA_ARGS__) op(Exp, exp, __VA_ARGS__)                       \
          op(Log, log, __VA_ARGS__) op(Square, square, __VA_ARGS__)

// The kernels of elementwise.h exist for these, on every device. What else the lists are given goes to each instance.
#define GLIMPSE_FOR_EACH_UNARY(instance, ...) \
  instance(Affine, affine, __VA_ARGS__) GLIMPSE_FOR_EACH_UNARY_OP(instance, __VA_ARGS__)
#define GLIMPSE_FOR_EACH_BINARY(instance, ...)                                               \
  instance(Add, __VA_ARGS__) instance(Subtract, __VA_ARGS__) instance(Multiply, __VA_ARGS__) \
      instance(Divide, __VA_ARGS__) instance(AddScaled, __VA_ARGS__)

}  // namespace glimpse::kernels
