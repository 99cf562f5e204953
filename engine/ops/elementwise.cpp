#include "glimpse/kernels/elementwise.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/engine/ops/broadcast.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

template <class F>
Tensor unary(const char* name, F f, const Tensor& x) {
  require_floating(name, "x", x);
  Tensor y = empty_like(x, name);
  on(x, [&]<class T>(auto device) { kernels::map(device, f, x.numel(), x.data<T>(), y.data<T>()); });
  constexpr kernels::Saves saves = F::saves;
  Tensor saved = saves == kernels::Saves::result ? y : saves == kernels::Saves::input ? x.detach() : Tensor();
  return differentiable(name, y, {x}, [name, f, saved](const Tensor& dy) {
    Tensor dx = empty_like(dy, name);
    on(dy, [&]<class T>(auto device) {
      const Tensor& argument = saves == kernels::Saves::nothing ? dy : saved;
      kernels::map_gradient(device, f, dy.numel(), argument.data<T>(), dy.data<T>(), dx.data<T>());
    });
    return dx;
  });
}

template <class F>
Tensor combine(const char* name, F f, const Tensor& a, const Tensor& b) {
  require_same_kind(name, a, b);
  Tensor y(broadcast_shape(name, a.shape(), b.shape()), a.dtype(), a.device(), name);
  const kernels::Broadcast shape = line_up(y.shape(), a.shape(), b.shape());
  on(a, [&]<class T>(auto device) { kernels::zip(device, f, shape, a.data<T>(), b.data<T>(), y.data<T>()); });
  return y;
}

/// Records y = f(a, b): `da` and `db` turn dy into the gradients before broadcasting is undone, each called if needed.
template <class Da, class Db>
Tensor binary(const char* name, const Tensor& y, const Tensor& a, const Tensor& b, Da da, Db db) {
  return differentiable(
      name, y, {a, b},
      [da, db, a_shape = a.shape(), b_shape = b.shape(), need_a = a.requires_grad(),
       need_b = b.requires_grad()](const Tensor& dy) -> Gradients {
        return {need_a ? sum_to(da(dy), a_shape) : Tensor(), need_b ? sum_to(db(dy), b_shape) : Tensor()};
      });
}

}  // namespace

Tensor operator+(const Tensor& a, const Tensor& b) {
  const auto same = [](const Tensor& dy) { return dy; };
  return binary("add", combine("add", kernels::Add{}, a, b), a, b, same, same);
}

Tensor operator-(const Tensor& a, const Tensor& b) {
  return binary(
      "subtract", combine("subtract", kernels::Subtract{}, a, b), a, b, [](const Tensor& dy) { return dy; },
      [](const Tensor& dy) { return -dy; });
}

Tensor operator*(const Tensor& a, const Tensor& b) {
  return binary(
      "multiply", combine("multiply", kernels::Multiply{}, a, b), a, b,
      [b = b.detach()](const Tensor& dy) { return dy * b; }, [a = a.detach()](const Tensor& dy) { return dy * a; });
}

Tensor operator/(const Tensor& a, const Tensor& b) {
  const Tensor y = combine("divide", kernels::Divide{}, a, b);
  return binary(
      "divide", y, a, b, [b = b.detach()](const Tensor& dy) { return dy / b; },
      [y, b = b.detach()](const Tensor& dy) { return -(dy * y / b); });
}

Tensor operator+(const Tensor& a, double b) { return unary("add", kernels::Affine{1, b}, a); }
Tensor operator-(const Tensor& a, double b) { return unary("subtract", kernels::Affine{1, -b}, a); }
Tensor operator*(const Tensor& a, double b) { return unary("multiply", kernels::Affine{b, 0}, a); }
Tensor operator/(const Tensor& a, double b) { return unary("divide", kernels::Affine{1 / b, 0}, a); }
Tensor operator+(double a, const Tensor& b) { return unary("add", kernels::Affine{1, a}, b); }
Tensor operator-(double a, const Tensor& b) { return unary("subtract", kernels::Affine{-1, a}, b); }
Tensor operator*(double a, const Tensor& b) { return unary("multiply", kernels::Affine{a, 0}, b); }
Tensor operator-(const Tensor& x) { return unary("negate", kernels::Affine{-1, 0}, x); }

#define GLIMPSE_DEFINE_OP(functor, name, ...) \
  Tensor name(const Tensor& x) { return unary(#name, kernels::functor{}, x); }
GLIMPSE_FOR_EACH_UNARY_OP(GLIMPSE_DEFINE_OP)
#undef GLIMPSE_DEFINE_OP

void add_scaled_into(const Tensor& y, const Tensor& x, double scale) {
  require_same_kind("add_into", y, x);
  check(y.shape() == x.shape(), "add_into: {} cannot be added into {}", x.shape(), y.shape());
  on(y, [&]<class T>(auto device) {
    kernels::zip(device, kernels::AddScaled{scale}, kernels::same_shape(y.numel()), y.data<T>(), x.data<T>(),
                 y.data<T>());
  });
}

void add_into(const Tensor& y, const Tensor& x) { add_scaled_into(y, x, 1); }

}  // namespace glimpse
