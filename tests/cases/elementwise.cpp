#include <cmath>

#include "op_case.h"

namespace glimpse::test {
namespace {

const std::vector<Sizes> lengths = {{0}, {1}, {31}, {32}, {33}, {1000}};

/// The case of an element-wise function of one tensor.
OpCase unary(const char* name, Tensor (*function)(const Tensor&), double (*truth)(double),
             Tensor (*input)(Draw&, const Shape&)) {
  return {
      .name = name,
      .sizes = lengths,
      .inputs = [input](const Sizes& s, Draw& draw) { return Tensors{input(draw, {s[0]})}; },
      .run = [function](const Sizes&, const Tensors& in) { return Tensors{function(in[0])}; },
      .reference =
          [truth](const Sizes&, const Tensors& in) {
            Tensor y = empty_like(in[0]);
            for (std::int64_t i = 0; i < y.numel(); ++i) at(y, i) = truth(at(in[0], i));
            return Tensors{y};
          },
      .bench_sizes = {{1 << 22}},
  };
}

Tensor normal(Draw& draw, const Shape& shape) { return draw.normal(shape, 0, 2); }
Tensor positive(Draw& draw, const Shape& shape) { return draw.uniform(shape, 0.1, 5); }
Tensor off_zero(Draw& draw, const Shape& shape) { return draw.away_from_zero(shape); }
/// Around both kinks of relu6, not on them.
Tensor off_zero_and_six(Draw& draw, const Shape& shape) { return draw.away_from_zero(shape, 0.1, 2.9) * 2.0 + 3.0; }

const OpCaseRegistrar cases[] = {
    OpCaseRegistrar(unary(
        "relu", relu, [](double x) { return std::max(x, 0.0); }, off_zero)),
    OpCaseRegistrar(unary(
        "relu6", relu6, [](double x) { return std::min(std::max(x, 0.0), 6.0); }, off_zero_and_six)),
    OpCaseRegistrar(unary("tanh", tanh, std::tanh, normal)),
    OpCaseRegistrar(unary(
        "silu", silu, [](double x) { return x / (1 + std::exp(-x)); }, normal)),
    OpCaseRegistrar(unary(
        "gelu", gelu, [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }, normal)),
    OpCaseRegistrar(unary(
        "sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, normal)),
    OpCaseRegistrar(unary("exp", exp, std::exp, normal)),
    OpCaseRegistrar(unary("log", log, std::log, positive)),
    OpCaseRegistrar(unary(
        "square", square, [](double x) { return x * x; }, normal)),
    OpCaseRegistrar(unary(
        "negate", [](const Tensor& x) { return -x; }, [](double x) { return -x; }, normal)),
    OpCaseRegistrar(unary(
        "add_scalar", [](const Tensor& x) { return x + 1.5; }, [](double x) { return x + 1.5; }, normal)),
    OpCaseRegistrar(unary(
        "scalar_add", [](const Tensor& x) { return 1.5 + x; }, [](double x) { return 1.5 + x; }, normal)),
    OpCaseRegistrar(unary(
        "subtract_scalar", [](const Tensor& x) { return x - 1.5; }, [](double x) { return x - 1.5; }, normal)),
    OpCaseRegistrar(unary(
        "scalar_subtract", [](const Tensor& x) { return 1.5 - x; }, [](double x) { return 1.5 - x; }, normal)),
    OpCaseRegistrar(unary(
        "multiply_scalar", [](const Tensor& x) { return x * 0.7; }, [](double x) { return x * 0.7; }, normal)),
    OpCaseRegistrar(unary(
        "scalar_multiply", [](const Tensor& x) { return 0.7 * x; }, [](double x) { return 0.7 * x; }, normal)),
    OpCaseRegistrar(unary(
        "divide_scalar", [](const Tensor& x) { return x / 0.7; }, [](double x) { return x / 0.7; }, normal)),
};

// Two operands. The first size chooses how their shapes differ, the others are lengths.
struct ShapePair {
  Shape a, b;
};
ShapePair shapes(const Sizes& s) {
  const std::int64_t n = s[1], m = s[2];
  switch (s[0]) {
    case 0:
      return {{n, m}, {n, m}};
    case 1:
      return {{n, m}, {m}};  // b repeats along the rows
    case 2:
      return {{n, 1}, {n, m}};  // a repeats along the columns
    case 3:
      return {{n, 1}, {1, m}};  // both repeat
    case 4:
      return {{}, {n, m}};  // a scalar
    case 5:
      return {{2, n, 3, m}, {n, 1, m}};
    case 6:
      return {{n, 2, m, 2}, {1, 2, 1, 2}};
    default:
      return {{1, n, 1, m}, {3, 1, 2, 1}};
  }
}

/// The element of an operand of shape `x` that meets element i of the result `y`.
std::int64_t operand_index(const Shape& y, std::int64_t i, const Shape& x) {
  std::int64_t index = 0, stride = 1;
  for (int d = -1; d >= -x.rank(); --d) {
    index += x[d] == 1 ? 0 : i % y[d] * stride;
    stride *= x[d];
    i /= y[d];
  }
  return index;
}

OpCase binary(const char* name, Tensor (*function)(const Tensor&, const Tensor&), double (*truth)(double, double)) {
  return {
      .name = name,
      .sizes = {{0, 1, 1},
                {0, 31, 33},
                {1, 5, 32},
                {1, 1, 1000},
                {1, 4, 0},
                {2, 33, 7},
                {3, 31, 32},
                {4, 3, 5},
                {5, 4, 31},
                {6, 5, 3},
                {7, 4, 5},
                {0, 0, 3},
                {2, 1000, 3},
                {1, 1000, 3}},
      .inputs =
          [](const Sizes& s, Draw& draw) {
            return Tensors{draw.normal(shapes(s).a), draw.away_from_zero(shapes(s).b, 0.5, 2)};
          },
      .run = [function](const Sizes&, const Tensors& in) { return Tensors{function(in[0], in[1])}; },
      .reference =
          [truth](const Sizes&, const Tensors& in) {
            const Shape& a = in[0].shape();
            const Shape& b = in[1].shape();
            Shape shape;
            for (int d = -std::max(a.rank(), b.rank()); d < 0; ++d) {
              const std::int64_t m = d < -a.rank() ? 1 : a[d], n = d < -b.rank() ? 1 : b[d];
              shape.push_back(m == 1 ? n : m);
            }
            Tensor y = empty(shape, DType::f64);
            for (std::int64_t i = 0; i < y.numel(); ++i)
              at(y, i) = truth(at(in[0], operand_index(shape, i, a)), at(in[1], operand_index(shape, i, b)));
            return Tensors{y};
          },
      .absolute = 100,  // gradients of repeated operands are sums
      .bench_sizes = {{0, 1, 1 << 22}, {1, 1 << 11, 1 << 11}},
  };
}

const OpCaseRegistrar binary_cases[] = {
    OpCaseRegistrar(binary(
        "add", [](const Tensor& a, const Tensor& b) { return a + b; }, [](double a, double b) { return a + b; })),
    OpCaseRegistrar(binary(
        "subtract", [](const Tensor& a, const Tensor& b) { return a - b; }, [](double a, double b) { return a - b; })),
    OpCaseRegistrar(binary(
        "multiply", [](const Tensor& a, const Tensor& b) { return a * b; }, [](double a, double b) { return a * b; })),
    OpCaseRegistrar(binary(
        "divide", [](const Tensor& a, const Tensor& b) { return a / b; }, [](double a, double b) { return a / b; })),
};

/// One tensor on both sides of several ops: its gradients add up.
const OpCaseRegistrar shared_operand({
    .name = "shared_operand",
    .sizes = lengths,
    .inputs = [](const Sizes& s, Draw& draw) { return Tensors{draw.normal({s[0]})}; },
    .run =
        [](const Sizes&, const Tensors& in) {
          return Tensors{in[0] * in[0] + in[0], in[0] - tanh(in[0])};
        },
    .reference =
        [](const Sizes&, const Tensors& in) {
          Tensor y = empty_like(in[0]), z = empty_like(in[0]);
          for (std::int64_t i = 0; i < y.numel(); ++i) {
            const double x = at(in[0], i);
            at(y, i) = x * x + x;
            at(z, i) = x - std::tanh(x);
          }
          return Tensors{y, z};
        },
});

}  // namespace
}  // namespace glimpse::test
