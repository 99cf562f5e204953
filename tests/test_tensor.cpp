#include <cmath>
#include <vector>

#include "catch.h"
#include "error_of.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/layers.h"
#include "glimpse/engine/ops.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

using Floats = std::vector<float>;

}  // namespace

TEST_CASE("shapes") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape.numel() == 24);
  CHECK(shape[1] == 3);
  CHECK(shape[-1] == 4);
  CHECK(shape.str() == "(2,3,4)");
  CHECK(shape.with(-1, 7) == Shape{2, 3, 7});
  CHECK(shape.without(0) == Shape{3, 4});
  CHECK(shape != Shape{2, 3});
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{}.str() == "()");
  CHECK(Shape{std::int64_t{1} << 40, std::int64_t{1} << 40, 0}.numel() == 0);
  CHECK(error_of([&] { shape[3]; }) == "shape: no dimension 3 in (2,3,4)");
  CHECK(error_of([] { Shape{1, -2}; }) == "shape: negative size -2");
  CHECK(error_of([] { Shape{1, 1, 1, 1, 1, 1, 1}; }) == "shape: more than 6 dimensions");
  CHECK_THROWS_AS((Shape{std::int64_t{1} << 32, std::int64_t{1} << 32}.numel()), Error);
}

TEST_CASE("a tensor is a handle to shared memory") {
  const Tensor x = from_vector<float>({1, 2, 3, 4, 5, 6}, {3, 2});
  const Tensor same = x;
  same.data<float>()[0] = 9;
  CHECK(x.data<float>()[0] == 9);
  const Tensor copy = x.clone();
  copy.fill(0);
  CHECK(x.to_vector<float>() == Floats{9, 2, 3, 4, 5, 6});
  const Tensor row = x.rows(1, 2);
  CHECK(row.shape() == Shape{1, 2});
  row.fill(-1);
  CHECK(x.to_vector<float>() == Floats{9, 2, -1, -1, 5, 6});
  const Tensor flat = x.reshape({-1});
  flat.data<float>()[5] = 8;
  CHECK(x.rows(2, 3).reshape({2}).to_vector<float>() == Floats{5, 8});
  CHECK(x.rows(3, 3).numel() == 0);
  x.rows(1, 3).copy_from(x.rows(0, 2));
  CHECK(x.to_vector<float>() == Floats{9, 2, 9, 2, -1, -1});
}

TEST_CASE("an undefined tensor can only be asked whether it is defined") {
  const Tensor none;
  CHECK_FALSE(none.defined());
  CHECK_FALSE(none.requires_grad());
  CHECK_FALSE(none.grad().defined());
  CHECK_THROWS_AS(none.raw(), Error);
  CHECK_THROWS_AS(none.device(), Error);
  CHECK_THROWS_AS(none.reshape({1}), Error);
  CHECK_THROWS_AS(none.rows(0, 0), Error);
  CHECK_THROWS_AS(none.to(DType::f64), Error);
  CHECK_THROWS_AS(none.item(), Error);
  CHECK_THROWS_AS(none.clone(), Error);
  CHECK_THROWS_AS(none.backward(), Error);
  CHECK_THROWS_AS(none + none, Error);
  CHECK_THROWS_AS(relu(none), Error);
}

TEST_CASE("types") {
  const Tensor x = from_vector<float>({1.5f, -2.5f, 70000.0f});
  CHECK(x.to(DType::i32).to_vector<std::int32_t>() == std::vector<std::int32_t>{1, -2, 70000});
  CHECK(x.to(DType::f64).to_vector<double>() == std::vector<double>{1.5, -2.5, 70000});
  const Floats half = x.to(DType::f16).to_vector<float>();
  CHECK(half[0] == 1.5f);
  CHECK(std::isinf(half[2]));
  CHECK(x.to(DType::bf16).to_vector<float>()[1] == -2.5f);
  CHECK(x.to(DType::f32).raw() == x.raw());
  CHECK(x.to(DType::bf16).bytes() == 6);
  CHECK(error_of([&] { x.data<double>(); }) == "tensor (3) is f32, not f64");
  CHECK(from_vector<std::int32_t>({4}).item() == 4);
  CHECK(full({2}, 2.5, DType::f16).to_vector<double>() == std::vector<double>{2.5, 2.5});
}

TEST_CASE("copies and constructors check their arguments") {
  const Tensor x = zeros({2, 3});
  CHECK(error_of([&] { x.copy_from(zeros({3, 2})); }) == "copy: f32 (2,3) cannot hold f32 (3,2)");
  CHECK(error_of([&] { x.copy_from(zeros({2, 3}, DType::f64)); }) == "copy: f32 (2,3) cannot hold f64 (2,3)");
  CHECK(error_of([] { from_vector<float>({1, 2}, {3}); }) == "from: 2 values for (3)");
  CHECK(error_of([&] { x.item(); }) == "item: one element is needed, got (2,3)");
  CHECK(error_of([&] { x.rows(1, 4); }) == "rows: [1,4) of (2,3)");
  CHECK(error_of([&] { x.reshape({4}); }) == "reshape: (2,3) has 6 elements, (4) has 4");
  CHECK_THROWS_AS(x.reshape({-1, 4}), Error);
  CHECK_THROWS_AS(x.reshape({-1, -1}), Error);
  CHECK_THROWS_AS(Tensor(x.storage(), 4, {2, 3}, DType::f32), Error);
  CHECK_THROWS_AS(Tensor(x.storage(), 2, {1}, DType::f32), Error);
  CHECK(Tensor(x.storage(), 4, {5}, DType::f32).numel() == 5);
}

TEST_CASE("a build without CUDA says so") {
  if (cuda_built) return;
  CHECK_THAT(error_of([] { empty({1}, DType::f32, Device::cuda); }), Contains("CUDA"));
  CHECK_THAT(error_of([] { zeros({1}).to(Device::cuda); }), Contains("CUDA"));
}

TEST_CASE("ops name themselves and the shapes that do not fit") {
  const Tensor x = zeros({2, 3}), words = from_vector<std::int32_t>({0, 5, -3});
  Generator generator;
  CHECK(error_of([&] { x + zeros({2, 4}); }) == "add: (2,3) does not broadcast with (2,4)");
  CHECK(error_of([&] {
          x* zeros({2, 3}, DType::f64);
        }) == "multiply: f32 (2,3) on cpu does not go with f64 (2,3) on cpu");
  CHECK(error_of([&] { relu(words); }) == "relu: x (3) is i32; f32 or f64 is needed");
  CHECK(error_of([&] { matmul(x, x); }) == "matmul: (2,3) does not multiply with (2,3): 3 != 2");
  CHECK(error_of([&] { matmul(x, x, true, true); }) ==
        "matmul: (2,3) transposed does not multiply with (2,3) transposed: 2 != 3");
  CHECK(error_of([&] {
          linear(x, zeros({5, 4}));
        }) == "linear: x (2,3) does not match weight (5,4): the last size must be 4");
  CHECK(error_of([&] {
          linear(x, zeros({5, 3}), zeros({4}));
        }) == "linear: bias (4) does not match weight (5,3): (5) is needed");
  CHECK(error_of([&] { sum(x, 2); }) == "shape: no dimension 2 in (2,3)");
  CHECK(error_of([&] { mean(zeros({0})); }) == "mean: (0) has no elements to average");
  CHECK(error_of([&] { permute(x, {0, 0}); }) == "permute: (0,0) is not an order of 2 dimensions");
  CHECK(error_of([&] { concat({x, zeros({3, 3})}, 1); }) == "concat: (2,3) and (3,3) differ in more than dimension 1");
  CHECK(error_of([&] { concat({}, 0); }) == "concat: no tensors");
  CHECK(error_of([&] { slice(x, 1, 2, 5); }) == "slice: [2,5) of dimension 1 of (2,3)");
  CHECK(error_of([&] { embedding(x, words); }) == "embedding: word 5 at position 1 is outside [0,2)");
  CHECK(error_of([&] {
          gather_rows(x, from_vector<std::int32_t>({1, -3}));
        }) == "gather_rows: index -3 at position 1 is outside [0,2)");
  const Tensor minus_one = from_vector<std::int32_t>({1, -1});  // the target that cross_entropy leaves out
  CHECK(error_of([&] { embedding(x, minus_one); }) == "embedding: word -1 at position 1 is outside [0,2)");
  CHECK(error_of([&] { gather_rows(x, minus_one); }) == "gather_rows: index -1 at position 1 is outside [0,2)");
  CHECK(error_of([&] { dropout(x, 1.5, generator); }) == "dropout: probability 1.5 is outside [0,1]");
  CHECK(error_of([&] { softmax(full({}, 1)); }) == "softmax: a scalar has no last dimension");
  CHECK(error_of([&] {
          cross_entropy(x, from_vector<std::int32_t>({0, 3}));
        }) == "cross_entropy: target 3 at position 1 is outside [0,3)");
  CHECK(error_of([&] { cross_entropy(x, words); }) == "cross_entropy: target (3) does not match logits (2,3)");
  CHECK(error_of([&] {
          cross_entropy(x, from_vector<std::int32_t>({-1, -1}));
        }) == "cross_entropy: none of the 2 targets is counted");
  CHECK(error_of([&] {
          cross_entropy(x, from_vector<std::int32_t>({0, 1}), -1, 1.0);
        }) == "cross_entropy: label smoothing 1 is outside [0,1)");
  CHECK(error_of([&] { add_into(x, zeros({3})); }) == "add_into: (3) cannot be added into (2,3)");
}

TEST_CASE("softmax of minus infinity") {
  const float inf = INFINITY;
  const Tensor x = from_vector<float>({0, -inf, 0, -inf, -inf, -inf}, {2, 3});
  CHECK(softmax(x).to_vector<float>() == Floats{0.5f, 0, 0.5f, 0, 0, 0});
  const Floats logs = log_softmax(x).to_vector<float>();
  CHECK(logs[0] == Approx(std::log(0.5)));
  CHECK(logs[1] == -inf);
  CHECK(logs[3] == -inf);
  CHECK(std::isnan(softmax(from_vector<float>({NAN, -inf})).to_vector<float>()[0]));
  CHECK(std::isnan(softmax(from_vector<float>({NAN, 1})).to_vector<float>()[1]));

  const Tensor leaf = x.clone().set_requires_grad();
  softmax(leaf).backward(from_vector<float>({1, 2, 3, 1, 2, 3}, {2, 3}));
  CHECK(leaf.grad().to_vector<float>() == Floats{-0.5f, 0, 0.5f, 0, 0, 0});
}

TEST_CASE("softmax and cross-entropy of large scores") {
  const Tensor x = from_vector<float>({10000, 10001, 9990}, {1, 3}).set_requires_grad();
  const Floats p = softmax(x).to_vector<float>();
  CHECK(p[0] == Approx(1 / (1 + std::exp(1) + std::exp(-10))).epsilon(1e-6));
  const Tensor loss = cross_entropy(x, from_vector<std::int32_t>({0}));
  CHECK(loss.item() == Approx(1 + std::log1p(std::exp(-1) + std::exp(-11))).epsilon(1e-6));
  loss.backward();
  CHECK(x.grad().to_vector<float>()[1] == Approx(p[1]).epsilon(1e-6));  // the log of the sum is kept to more than f32
  CHECK(x.grad().to_vector<float>()[0] == Approx(p[0] - 1).epsilon(1e-6));
}

TEST_CASE("cross-entropy of a target that cannot be") {
  const float inf = INFINITY;
  const Tensor target = from_vector<std::int32_t>({1});
  CHECK(cross_entropy(from_vector<float>({0, -inf}, {1, 2}), target).item() == HUGE_VAL);
  CHECK(cross_entropy(from_vector<float>({-inf, -inf}, {1, 2}), target).item() == HUGE_VAL);
  // Any value can mark the targets that do not count.
  const Tensor logits = from_vector<float>({0, 0, 5, 0}, {2, 2});
  CHECK(cross_entropy(logits, from_vector<std::int32_t>({0, 1}), 0).item() == Approx(std::log1p(std::exp(5))));
}

TEST_CASE("NaN is not hidden") {
  const Tensor x = from_vector<float>({NAN, 1});
  for (Tensor (*op)(const Tensor&) : {relu, relu6, tanh, sigmoid, exp, log, square})
    CHECK(std::isnan(op(x).to_vector<float>()[0]));
  CHECK(std::isnan(sum(x).item()));
  CHECK(std::isnan(mean(x).item()));
}

TEST_CASE("long sums are exact to f32") {
  const Tensor x = full({10, 1 << 20}, 0.1f);
  const double truth = 10.0 * (1 << 20) * static_cast<double>(0.1f);
  CHECK(sum(x).item() == Approx(truth).epsilon(1e-7));
  CHECK(sum(sum(x, 0)).item() == Approx(truth).epsilon(1e-7));
  CHECK(mean(x).item() == Approx(0.1f).epsilon(1e-7));
}

TEST_CASE("modules name their tensors") {
  struct Net {
    std::vector<Linear> layers;
    BatchNorm2d norm{3};
    void visit(Visitor& v) {
      v("layers", layers);
      v("norm", norm);
    }
  } net;
  net.layers.emplace_back(2, 4);
  net.layers.emplace_back(4, 1, false);
  std::vector<std::string> names;
  for (const NamedTensor& t : named_tensors(net)) names.push_back(t.name + (t.trainable ? "" : "*"));
  CHECK(names == std::vector<std::string>{"layers.0.weight", "layers.0.bias", "layers.1.weight", "norm.weight",
                                          "norm.bias", "norm.running_mean*", "norm.running_var*"});
  CHECK(parameters(net).size() == 5);
  net.layers[0].bias.set_requires_grad(false);
  CHECK(parameters(net).size() == 4);
  Linear other(1, 1);
  CHECK(parameters(net, other).back().name == "1.bias");
}

TEST_CASE("loading says what does not fit, and then changes nothing") {
  Linear layer(2, 2);
  const Floats before = layer.weight.to_vector<float>();
  const auto load = [&](const std::vector<NamedTensor>& source) {
    load_tensors(named_tensors(layer), source, "file.safetensors");
  };
  CHECK(error_of([&] {
          load({{"weight", zeros({2, 2})}});
        }) == "file.safetensors: tensors do not match: 1 missing: bias");
  CHECK(error_of([&] {
          load({{"weight", zeros({2, 3})}, {"bias", zeros({2})}, {"extra", zeros({1})}});
        }) ==
        "file.safetensors: tensors do not match: 1 of another shape: weight is (2,3), not (2,2); 1 left over: extra");
  CHECK(layer.weight.to_vector<float>() == before);
  load({{"bias", full({2}, 4, DType::f64)}, {"weight", full({2, 2}, 3)}});
  CHECK(layer.weight.to_vector<float>() == Floats{3, 3, 3, 3});
  CHECK(layer.bias.to_vector<float>() == Floats{4, 4});
  CHECK(layer.weight.requires_grad());
}

TEST_CASE("a module adopts tensors without copying them, and lets go of them by a copy") {
  Linear layer(2, 2);
  const Tensor weight = full({2, 2}, 3);
  const std::vector<NamedTensor> source = {{"weight", weight}, {"bias", full({2}, 4, DType::f64)}};
  CHECK(error_of([&] { adopt_tensors(layer, {source[0]}, "file"); }) == "file: tensors do not match: 1 missing: bias");
  adopt_tensors(layer, source, "file");
  CHECK(layer.weight.data<float>() == weight.data<float>());
  CHECK_FALSE(layer.weight.requires_grad());
  CHECK(layer.bias.to_vector<float>() == Floats{4, 4});
  layer.weight.set_requires_grad();
  copy_tensors(layer);
  weight.fill(5);
  CHECK(layer.weight.to_vector<float>() == Floats{3, 3, 3, 3});
  CHECK(layer.weight.requires_grad());
}
