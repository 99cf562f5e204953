#include <cmath>
#include <stdexcept>
#include <vector>

#include "catch.h"
#include "error_of.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/engine/gradcheck.h"
#include "glimpse/engine/memory.h"
#include "glimpse/engine/ops.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

using Floats = std::vector<float>;

Tensor leaf(const Floats& values) { return from_vector(values).set_requires_grad(); }

/// y = x, with a backward function of the test's own.
template <class F>
Tensor identity_with(const Tensor& x, F backward) {
  return differentiable("test_op", x.clone(), {x}, backward);
}

}  // namespace

TEST_CASE("a million chained ops neither walk nor die recursively") {
  Tensor x = leaf({1});
  const auto chain = [&] {
    Tensor y = x;
    for (int i = 0; i < 1000000; ++i) y = y + 1.0;
    return y;
  };
  Tensor y = chain();
  CHECK(y.item() == 1000001);
  y.backward();
  CHECK(x.grad().item() == 1);
  chain();  // freed without a backward pass
}

TEST_CASE("a deep graph through captured tensors dies without recursion") {
  Tensor x = leaf({1}), y = x;
  for (int i = 0; i < 100000; ++i) y = identity_with(y, [y](const Tensor& dy) { return dy; });
  y = Tensor();
  CHECK(x.requires_grad());
}

TEST_CASE("gradients of shared inputs add up") {
  const Tensor x = leaf({3});
  const Tensor y = x * x;      // 2x
  const Tensor z = y + y * x;  // x^2 + x^3
  sum(z + x).backward();
  CHECK(x.grad().item() == 2 * 3 + 3 * 9 + 1);
}

TEST_CASE("a diamond is walked once, in reverse order of creation") {
  int calls = 0;
  const Tensor x = leaf({1, 2});
  const Tensor middle = identity_with(x, [&](const Tensor& dy) {
    ++calls;
    return dy;
  });
  const Tensor early = middle * 2.0, late = exp(tanh(middle));
  sum(early + late).backward();
  CHECK(calls == 1);
  const double t = std::tanh(2.0);
  CHECK(x.grad().to_vector<float>()[1] == Approx(2 + std::exp(t) * (1 - t * t)));
}

TEST_CASE("leaves accumulate over backward passes until cleared") {
  const Tensor x = leaf({1, 2});
  for (int i = 0; i < 3; ++i) sum(x * 2.0).backward();
  CHECK(x.grad().to_vector<float>() == Floats{6, 6});
  x.clear_grad();
  CHECK_FALSE(x.grad().defined());
  sum(x).backward();
  CHECK(x.grad().to_vector<float>() == Floats{1, 1});
}

TEST_CASE("a given gradient is added into where it lies") {
  const Tensor x = leaf({1, 2}), flat = full({4}, 10);
  x.set_grad(flat.rows(1, 3));
  sum(x * 3.0).backward();
  CHECK(flat.to_vector<float>() == Floats{10, 13, 13, 10});
  CHECK_THROWS_AS(x.set_grad(zeros({3})), Error);
  CHECK_THROWS_AS((x * 2.0).set_grad(zeros({2})), Error);
}

TEST_CASE("gradients do not share memory with each other or with what the caller gave") {
  const Tensor a = leaf({1}), b = leaf({1}), dy = full({1}, 5);
  (a + b).backward(dy);
  a.grad().fill(7);
  CHECK(b.grad().item() == 5);
  CHECK(dy.item() == 5);
  const Tensor c = leaf({1});
  c.backward(dy);
  c.grad().fill(7);
  CHECK(dy.item() == 5);
  // One gradient sent to two ops and changed by neither.
  const Tensor x = leaf({1}), p = x * 1.0, q = x * 1.0;
  const Tensor s = p + q;
  (s + p).backward(dy);
  CHECK(x.grad().item() == 15);
}

TEST_CASE("without gradients nothing is recorded") {
  const Tensor x = leaf({1});
  {
    const NoGrad no_grad;
    CHECK_FALSE(grad_enabled());
    CHECK_FALSE((x * 2.0).requires_grad());
    { const NoGrad inner; }
    CHECK_FALSE(grad_enabled());
  }
  CHECK(grad_enabled());
  CHECK((x * 2.0).requires_grad());
  CHECK_FALSE((x.detach() * 2.0).requires_grad());
  CHECK_FALSE((from_vector<float>({1}) * 2.0).requires_grad());
  bool recording = true;
  const Tensor y = identity_with(x, [&](const Tensor& dy) {
    recording = grad_enabled();
    return dy;
  });
  y.backward();
  CHECK_FALSE(recording);
}

TEST_CASE("a graph is walked once") {
  const Tensor x = leaf({2}), y = x * x;
  y.backward();
  CHECK_THAT(error_of([&] { y.backward(); }), Contains("already walked"));
  const Tensor shared = x * x, one = shared * 2.0, two = shared * 3.0;
  one.backward();
  CHECK_THAT(error_of([&] { two.backward(); }), Contains("already walked"));
}

TEST_CASE("what backward refuses") {
  const Tensor x = leaf({1, 2});
  CHECK_THAT(error_of([&] { (x * 2.0).backward(); }), Contains("a scalar is needed, got (2)"));
  CHECK_THAT(error_of([&] { from_vector<float>({1}).backward(); }), Contains("nothing here requires a gradient"));
  CHECK_THROWS_AS((x * 2.0).backward(zeros({3})), Error);
  CHECK_THROWS_AS((x * 2.0).backward(zeros({2}, DType::f64)), Error);
  Tensor words = from_vector<std::int32_t>({1}), y = x * 2.0;
  CHECK_THROWS_AS(words.set_requires_grad(), Error);
  CHECK_THROWS_AS(y.set_requires_grad(false), Error);
}

TEST_CASE("a backward function's mistakes are named") {
  const Tensor x = leaf({1, 2});
  const Tensor wrong_shape = identity_with(x, [](const Tensor&) { return zeros({3}); });
  CHECK(error_of([&] { sum(wrong_shape).backward(); }) ==
        "backward of test_op: gradient 0 is f32 (3), its input f32 (2)");
  const Tensor wrong_type = identity_with(x, [](const Tensor&) { return zeros({2}, DType::f64); });
  CHECK(error_of([&] { sum(wrong_type).backward(); }) ==
        "backward of test_op: gradient 0 is f64 (2), its input f32 (2)");
  const Tensor too_many = identity_with(x, [](const Tensor& dy) { return Gradients{dy, dy}; });
  CHECK(error_of([&] { sum(too_many).backward(); }) == "backward of test_op: 2 gradients for 1 inputs");
}

TEST_CASE("a graph can be used after another one's backward function threw") {
  const Tensor x = leaf({1});
  const Tensor shared = x * 2.0;
  const Tensor bad = identity_with(shared, [](const Tensor&) -> Tensor { throw std::runtime_error("broken"); });
  const Tensor good = shared * 3.0;
  CHECK_THROWS_WITH((bad + shared).backward(), "broken");
  good.backward();
  CHECK(x.grad().item() == 6);
}

TEST_CASE("undefined gradients stand for zero") {
  const Tensor x = leaf({1}), y = leaf({1});
  const Tensor z = differentiable("pick", {x.clone(), y.clone()}, {x, y}, [](const Gradients& dy) { return dy; })[1];
  z.backward();
  CHECK_FALSE(x.grad().defined());
  CHECK(y.grad().item() == 1);
}

TEST_CASE("the graph is freed as it is walked") {
  constexpr std::int64_t n = 1 << 18, depth = 50;  // 1 MiB each
  const Tensor x = full({n}, 0.5).set_requires_grad();
  const std::size_t before = memory_stats().in_use;
  Tensor y = x;
  for (int i = 0; i < depth; ++i) y = tanh(y);
  const std::size_t recorded = memory_stats().in_use - before;
  CHECK(recorded >= (depth - 1) * n * 4);
  const Tensor loss = sum(y);
  y = Tensor();
  reset_peak_memory();
  loss.backward();
  CHECK(memory_stats().peak - before <= recorded + 4 * n * 4);
  CHECK(memory_stats().in_use - before <= 2 * n * 4);  // the leaf's gradient
}

TEST_CASE("an op keeps only what its gradient needs") {
  constexpr std::int64_t n = 1 << 18;
  const std::size_t before = memory_stats().in_use;
  const Tensor x = full({n}, 0.5).set_requires_grad();
  Tensor y = relu(x * 2.0 + 1.0);  // a product and a sum need nothing of their inputs, relu its result
  CHECK(memory_stats().in_use - before < 3 * n * 4);
  y = sum(y);
  CHECK(memory_stats().in_use - before < 3 * n * 4);
}

TEST_CASE("gradcheck accepts right gradients, also of several results") {
  const Tensor a = from_vector<double>({0.3, -0.7, 1.1}), b = from_vector<double>({2, 0.5, -1}),
               index = from_vector<std::int32_t>({2, 0});
  CHECK_NOTHROW(gradcheck([](const std::vector<Tensor>& x) { return x[0] * tanh(x[1]); }, {a, b}));
  CHECK_NOTHROW(gradcheck([](const std::vector<Tensor>& x) { return gather_rows(x[0], x[1]); }, {a, index}));
  CHECK_NOTHROW(gradcheck(
      [](const std::vector<Tensor>& x) {
        return std::vector<Tensor>{x[0] + x[1], exp(x[0]), x[1].detach()};
      },
      {a, b}));
  CHECK_NOTHROW(gradcheck([](const std::vector<Tensor>& x) { return x[0] * 2.0; }, {empty({0}, DType::f64)}));
}

TEST_CASE("gradcheck names the wrong element") {
  const Tensor a = from_vector<double>({0.3, -0.7, 1.1}), b = from_vector<double>({2, 0.5, -1});
  // d b[1] has the wrong sign.
  const auto wrong = [](const std::vector<Tensor>& x) {
    const Tensor y = x[0].detach() * x[1].detach();
    return differentiable("wrong", y, {x[0], x[1]},
                          [a = x[0].detach(), b = x[1].detach()](const Tensor& dy) -> Gradients {
                            return {dy * b, dy * a * from_vector<double>({1, -1, 1})};
                          });
  };
  CHECK_THAT(
      error_of([&] {
        gradcheck(wrong, {a, b});
      }),
      Contains("input 1 is wrong, worst at element 1: d result[1] / d input[1] is 0.7, but differences give -0.7"));
  const auto forgotten = [](const std::vector<Tensor>& x) { return x[0] * x[1].detach() + sum(x[1]) * x[1].detach(); };
  CHECK_THAT(error_of([&] { gradcheck(forgotten, {a, b}); }), Contains("input 1 is wrong"));
  const auto scaled = [](const std::vector<Tensor>& x) {
    return differentiable("scaled", x[0].clone(), {x[0]}, [](const Tensor& dy) { return dy * 1.00001; });
  };
  CHECK_THAT(error_of([&] { gradcheck(scaled, {a}); }), Contains("input 0 is wrong"));
  CHECK_NOTHROW(gradcheck(scaled, {a}, {.tolerance = 1e-4}));
}

TEST_CASE("gradcheck says why it cannot check") {
  const auto twice = [](const std::vector<Tensor>& x) { return x[0] * 2.0; };
  CHECK_THAT(error_of([&] { gradcheck(twice, {from_vector<float>({1})}); }),
             Contains("input 0 (1) is f32; f64 is needed"));
  CHECK_THAT(error_of([&] { gradcheck(twice, {Tensor()}); }), Contains("input 0 is undefined"));
  CHECK_THAT(error_of([&] {
               gradcheck([](const std::vector<Tensor>& x) { return x[0].detach(); }, {from_vector<double>({1})});
             }),
             Contains("no result requires a gradient"));
  CHECK_THAT(
      error_of([&] { gradcheck([](const std::vector<Tensor>& x) { return log(x[0]); }, {from_vector<double>({-1})}); }),
      Contains("nan"));
  double calls = 0;
  CHECK_THAT(error_of([&] {
               gradcheck([&](const std::vector<Tensor>& x) { return x[0] + ++calls; }, {from_vector<double>({1})});
             }),
             Contains("two calls on the same inputs differ"));
}
