#pragma once
// What the kernels of additive attention share on every device.

#include "glimpse/kernels/attention/attention.h"
#include "glimpse/kernels/base/host_device.h"
#include "glimpse/kernels/base/math.h"

namespace glimpse::kernels::attention {

/// The activations of scores, and their slopes from argument and value.
struct Tanh {
  template <class T>
  GLIMPSE_HOST_DEVICE static T value(T x) {
    return kernels::tanh(x);
  }
  template <class T>
  GLIMPSE_HOST_DEVICE static T slope(T, T y) {
    return T(1) - y * y;
  }
};
struct Relu {
  template <class T>
  GLIMPSE_HOST_DEVICE static T value(T x) {
    return x > T(0) ? x : T(0);
  }
  template <class T>
  GLIMPSE_HOST_DEVICE static T slope(T x, T) {
    return x > T(0) ? T(1) : T(0);
  }
};

/// A group's image and the rows of its queries.
struct Group {
  std::int64_t image, first, count;
  const std::int64_t* rows;
  GLIMPSE_HOST_DEVICE Group(const AttentionShape& s, std::int64_t g)
      : image(s.image ? s.image[g] : g),
        first(s.first ? s.first[g] : g),
        count(s.first ? s.first[g + 1] - s.first[g] : 1),
        rows(s.row) {}
  GLIMPSE_HOST_DEVICE std::int64_t row(std::int64_t j) const { return rows ? rows[first + j] : first + j; }
};

/// body(function) with the activation of the scores as a type.
template <class Body>
void with_activation(Activation activation, Body&& body) {
  activation == Activation::tanh ? body(Tanh{}) : body(Relu{});
}

/// Groups that are worth a thread of the CPU.
inline std::int64_t grain(const AttentionShape& s) { return 1 + 16384 / (s.locations * (s.width + s.channels) + 1); }

}  // namespace glimpse::kernels::attention
