#include <cmath>
#include <functional>
#include <limits>

#include "catch.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/engine/layers.h"
#include "glimpse/engine/optimizer.h"
#include "glimpse/engine/weight_average.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/base/parallel.h"
#include "scratch_folder.h"

using namespace glimpse;

namespace {

Tensor parameter(std::vector<float> values) {
  const auto n = static_cast<std::int64_t>(values.size());
  return from_vector(values, {n}).set_requires_grad();
}

void set_gradient(const Tensor& p, double value) { p.set_grad(full(p.shape(), value, p.dtype())); }

const SafetensorsFile& goldens() {
  static const SafetensorsFile file = read_safetensors(GLIMPSE_TEST_DATA "/optimizers.safetensors");
  return file;
}
Tensor golden(const std::string& name) {
  for (const NamedTensor& t : goldens().tensors)
    if (t.name == name) return t.tensor.clone();
  throw Error("no golden " + name);
}

using Make = std::function<std::unique_ptr<Optimizer>(std::vector<NamedTensor>)>;

template <class Kind, class Options>
Make make(const Options& options) {
  return
      [options](std::vector<NamedTensor> parameters) { return std::make_unique<Kind>(std::move(parameters), options); };
}

struct Config {
  const char* name;
  Make make;
};
const std::vector<Config>& configs() {
  static const std::vector<Config> list = {
      {"sgd", make<Sgd>(SgdOptions{.learning_rate = 0.1})},
      {"sgd_momentum", make<Sgd>(SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01})},
      {"rmsprop", make<RmsProp>(RmsPropOptions{.learning_rate = 0.01})},
      {"rmsprop_momentum",
       make<RmsProp>(
           RmsPropOptions{.learning_rate = 0.01, .alpha = 0.9, .eps = 1e-6, .momentum = 0.8, .weight_decay = 0.02})},
      {"adam", make<Adam>(AdamOptions{.learning_rate = 0.01})},
      {"adam_decay",
       make<Adam>(AdamOptions{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-5, .weight_decay = 0.1})},
      {"adamw", make<AdamW>(AdamWOptions{.learning_rate = 0.02, .weight_decay = 0.1})},
      {"adam_clip_norm", make<Adam>(AdamOptions{.learning_rate = 0.01, .clip_norm = 5})},
      {"sgd_clip_norm", make<Sgd>(SgdOptions{.learning_rate = 0.1, .clip_norm = 5})},
      {"sgd_clip_value", make<Sgd>(SgdOptions{.learning_rate = 0.1, .clip_value = 0.7})}};
  return list;
}

/// Parameters a and b at the goldens' start.
std::vector<NamedTensor> start(DType dtype) {
  std::vector<NamedTensor> parameters;
  for (const char* name : {"a", "b"})
    parameters.push_back({name, golden(std::string("start.") + name).to(dtype).clone().set_requires_grad()});
  return parameters;
}

/// Steps [begin, end) of the goldens' twenty. Gradients are added as backward() adds them.
void follow(Optimizer& optimizer, int begin, int end) {
  for (int step = begin; step < end; ++step) {
    if (step == 10) optimizer.set_learning_rate(optimizer.learning_rate() / 2);
    for (const NamedTensor& p : optimizer.parameters()) {
      const Tensor g =
          golden("gradients." + p.name).rows(step, step + 1).reshape(p.tensor.shape()).to(p.tensor.dtype());
      add_into(p.tensor.grad(), g);
    }
    REQUIRE(optimizer.step());
  }
}

}  // namespace

TEST_CASE("optimizer: twenty steps equal PyTorch's") {
  for (const Config& config : configs()) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const auto optimizer = config.make(start(dtype));
      follow(*optimizer, 0, 20);
      for (const NamedTensor& p : optimizer->parameters()) {
        INFO(config.name << " " << name_of(dtype) << " " << p.name);
        const std::vector<double> got = p.tensor.to_vector<double>();
        const std::vector<double> want =
            golden(std::string(config.name) + "." + name_of(dtype) + "." + p.name).to_vector<double>();
        for (std::size_t i = 0; i < got.size(); ++i) {
          const double tolerance = dtype == DType::f32 ? 1e-6 : 1e-13;
          CHECK(std::abs(got[i] - want[i]) <= tolerance * (1 + std::abs(want[i])));
        }
      }
      CHECK(optimizer->steps() == 20);
    }
  }
}

TEST_CASE("optimizer: state written in the middle goes on exactly") {
  const ScratchFolder folder;
  for (const Config& config : configs()) {
    INFO(config.name);
    const auto whole = config.make(start(DType::f32));
    follow(*whole, 0, 13);
    std::vector<NamedTensor> saved;
    for (const NamedTensor& p : whole->parameters()) saved.push_back(p);
    write_safetensors(folder / "parameters", saved);
    write_safetensors(folder / "state", whole->state());
    follow(*whole, 13, 20);

    const auto resumed = config.make(start(DType::f32));
    load_tensors(resumed->parameters(), read_safetensors(folder / "parameters").tensors, "parameters");
    resumed->load_state(read_safetensors(folder / "state").tensors);
    CHECK(resumed->steps() == 13);
    follow(*resumed, 13, 20);
    CHECK(resumed->flat_parameters().to_vector<float>() == whole->flat_parameters().to_vector<float>());
    CHECK(resumed->learning_rate() == whole->learning_rate());
  }
}

TEST_CASE("optimizer: a state that does not fit changes nothing") {
  Adam adam(start(DType::f32), {.learning_rate = 0.5});
  follow(adam, 0, 2);
  const auto before = adam.state()[2].tensor.to_vector<float>();
  std::vector<NamedTensor> state;
  for (const NamedTensor& s : adam.state()) state.push_back({s.name, full(s.tensor.shape(), 3, s.tensor.dtype())});
  state.pop_back();
  CHECK_THROWS_WITH(adam.load_state(state), Contains("adam state: tensors do not match: 1 missing: exp_avg_sq.b"));
  state.push_back({"exp_avg_sq.b", zeros({7})});
  CHECK_THROWS_WITH(adam.load_state(state), Contains("1 of another shape: exp_avg_sq.b is (7), not (5)"));
  state.back().tensor = zeros({5});
  state[0].tensor = from_vector(std::vector<double>{-1}, {});
  CHECK_THROWS_WITH(adam.load_state(state), Contains("the state's step is -1"));
  CHECK(adam.steps() == 2);
  CHECK(adam.learning_rate() == 0.5);
  CHECK(adam.state()[2].tensor.to_vector<float>() == before);
}

TEST_CASE("optimizer: one flat buffer of parameters and one of gradients, zeroed by the step") {
  Linear hidden(3, 5), out(5, 1);
  const Tensor weight = hidden.weight;  // copies follow the memory
  const std::vector<float> values = weight.to_vector<float>();
  Adam adam(parameters(hidden, out), {.learning_rate = 1e-2f});
  CHECK(weight.to_vector<float>() == values);
  CHECK(weight.raw() == adam.flat_parameters().raw());
  for (const NamedTensor& p : adam.parameters()) {
    CHECK(p.tensor.storage()->data() >= adam.flat_parameters().raw());
    CHECK(reinterpret_cast<std::uintptr_t>(p.tensor.raw()) % 64 == 0);
    CHECK(p.tensor.grad().storage() == adam.flat_gradients().storage());
  }
  sum(square(out(hidden(full({2, 3}, 1))))).backward();
  CHECK(weight.grad().storage() == adam.flat_gradients().storage());
  CHECK(adam.step());
  CHECK(weight.to_vector<float>() != values);
  for (const float g : adam.flat_gradients().to_vector<float>()) CHECK(g == 0);
}

TEST_CASE("optimizer: gradients that were taken out of the buffer come back") {
  const Tensor p = parameter({1, 2, 3});
  Sgd sgd({{"p", p}}, {.learning_rate = 1});
  p.clear_grad();
  CHECK(sgd.step());
  CHECK(p.to_vector<float>() == std::vector<float>{1, 2, 3});
  set_gradient(p, 1);
  CHECK(sgd.step());
  CHECK(p.to_vector<float>() == std::vector<float>{0, 1, 2});
  set_gradient(p, 1);
  sgd.zero_grad();
  CHECK(sgd.step());
  CHECK(p.to_vector<float>() == std::vector<float>{0, 1, 2});
  CHECK(p.grad().storage() == sgd.flat_gradients().storage());
}

TEST_CASE("optimizer: norm of the gradient") {
  const Tensor a = parameter({0, 0, 0}), b = from_vector(std::vector<float>{0}, {}).set_requires_grad();
  Sgd sgd({{"a", a}, {"b", b}}, {.learning_rate = 1, .clip_value = 3, .clip_norm = 3});
  a.set_grad(from_vector(std::vector<float>{3, 0, -4}));
  set_gradient(b, 12);
  CHECK(sgd.step());
  CHECK(sgd.gradient_norm() == 13);  // before clipping
  // By value to 3, 0, -3, 3, then by the norm of those to 3.
  const double root = std::sqrt(3.0);
  CHECK(a.to_vector<double>()[0] == Approx(-root));
  CHECK(a.to_vector<double>()[2] == Approx(root));
  CHECK(b.item() == Approx(-root));
}

TEST_CASE("optimizer: a gradient that is not finite updates nothing and is named") {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const Tensor a = parameter(std::vector<float>(100, 1)), b = parameter(std::vector<float>(33, 2));
    Adam adam({{"a", a}, {"deep.b", b}}, {.clip_value = 1, .clip_norm = 1});
    set_gradient(a, 1);
    CHECK(adam.step());
    CHECK(adam.non_finite().empty());
    const auto parameters = adam.flat_parameters().to_vector<float>();
    const auto moments = adam.state()[2].tensor.to_vector<float>();
    set_gradient(a, 2);
    b.grad().data<float>()[32] = static_cast<float>(bad);
    CHECK_FALSE(adam.step());
    CHECK(adam.non_finite() == "deep.b");
    CHECK_FALSE(std::isfinite(adam.gradient_norm()));
    CHECK(adam.steps() == 1);
    CHECK(adam.flat_parameters().to_vector<float>() == parameters);
    CHECK(adam.state()[2].tensor.to_vector<float>() == moments);
    CHECK(adam.step());
    CHECK(adam.gradient_norm() == 0);
    CHECK(adam.non_finite().empty());
  }
}

TEST_CASE("optimizer: steps ahead are answered later, each by the decision that was kept of it") {
  const Tensor a = parameter({1, 2}), b = parameter({3});
  Adam adam({{"a", a}, {"b", b}});
  std::vector<std::vector<double>> kept;
  std::vector<std::vector<float>> after;
  for (const double gradient : {1.0, std::nan(""), 2.0}) {
    set_gradient(b, gradient);
    adam.step_ahead();
    kept.push_back(adam.decision().to_vector<double>());
    after.push_back(adam.flat_parameters().to_vector<float>());
  }
  CHECK(adam.steps() == 2);
  CHECK(adam.gradient_norm() == 2);
  CHECK(adam.outcome().updated);
  CHECK(after[1] == after[0]);
  CHECK(after[2] != after[1]);
  CHECK(adam.outcome_of(kept[0]).steps == 1);
  CHECK(adam.outcome_of(kept[0]).gradient_norm == 1);
  CHECK(adam.outcome_of(kept[0]).non_finite.empty());
  CHECK_FALSE(adam.outcome_of(kept[1]).updated);
  CHECK(adam.outcome_of(kept[1]).non_finite == "b");
  CHECK(adam.outcome_of(kept[1]).steps == 1);
  CHECK_THROWS_WITH(adam.outcome_of(std::vector<double>(7)), "adam: a decision has 8 numbers, not 7");
}

TEST_CASE("optimizer: a sum of squares that is too large is no parameter's fault") {
  const Tensor p = parameter({1, 2}).to(DType::f64).detach().set_requires_grad();
  Sgd sgd({{"p", p}});
  set_gradient(p, 1e200);
  CHECK_FALSE(sgd.step());
  CHECK(sgd.non_finite() == "the norm of all gradients");
}

TEST_CASE("optimizer: the same bits with any number of threads") {
  const int threads = kernels::threads();
  std::vector<std::vector<float>> results;
  std::vector<double> norms;
  for (const int count : {1, 2, 3}) {
    kernels::set_threads(count);
    Generator generator(3);
    Tensor p = empty({70001}), g = empty({70001});
    fill_normal(p, 0, 1, generator);
    fill_normal(g, 0, 1, generator);
    p.set_requires_grad();
    Adam adam({{"p", p}}, {.weight_decay = 0.1, .clip_norm = 1});
    for (int i = 0; i < 3; ++i) {
      add_into(p.grad(), g);
      CHECK(adam.step());
    }
    results.push_back(p.to_vector<float>());
    norms.push_back(adam.gradient_norm());
  }
  kernels::set_threads(threads);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
  CHECK(norms[0] == norms[1]);
  CHECK(norms[0] == norms[2]);
}

TEST_CASE("optimizer: mistakes") {
  const Tensor p = parameter({1, 2}), q = parameter({3});
  CHECK_THROWS_WITH(Adam({}), "adam: no parameters");
  CHECK_THROWS_WITH(Sgd({{"p", p}, {"q", p}}), "sgd: parameters p and q share memory");
  CHECK_THROWS_WITH(Sgd({{"p", p}, {"p", q}}), "sgd: the name p stands twice");
  CHECK_THROWS_WITH(Sgd({{"p", zeros({1})}}), "sgd: parameter p requires no gradient");
  CHECK_THROWS_WITH(Sgd({{"p", zeros({1}, DType::i32)}}), "sgd: parameter p is i32, not f32 or f64");
  CHECK_THROWS_WITH(Sgd({{"p", Tensor()}}), "sgd: parameter p is undefined");
  CHECK_THROWS_WITH(Sgd({{"p", p}, {"d", zeros({1}, DType::f64).set_requires_grad()}}),
                    "sgd: parameter d is f64 on cpu, but p is f32 on cpu");
  CHECK_THROWS_WITH(Sgd({{"p", p.detach().rows(0, 1).set_requires_grad()}}),
                    "sgd: parameter p is a part of a larger tensor");
  CHECK_THROWS_WITH(Sgd({{"p", p}}, {.learning_rate = -1}), Contains("sgd: learning_rate must lie in [0, "));
  CHECK_THROWS_WITH(RmsProp({{"p", p}}, {.alpha = 1}), Contains("rmsprop: alpha must"));
  CHECK_THROWS_WITH(Adam({{"p", p}}, {.beta2 = 1}), Contains("adam: beta2 must"));
  CHECK_THROWS_WITH(AdamW({{"p", p}}, {.eps = 0}), Contains("adamw: eps must"));
  CHECK_THROWS_WITH(Sgd({{"p", p}}, {.clip_norm = -1}), Contains("sgd: clip_norm must"));
  {
    Sgd first({{"p", p}});
    CHECK_THROWS_WITH(Adam({{"q", q}, {"p", p}}), "adam: another optimizer already updates parameter p");
    CHECK_THROWS_AS(first.set_learning_rate(std::nan("")), Error);
  }
  // The first is gone: its parameters and their gradients live on, and may have another.
  p.grad().fill(1);
  Sgd second({{"q", q}, {"p", p}}, {.learning_rate = 1});
  CHECK(second.step());
  CHECK(p.to_vector<float>() == std::vector<float>{0, 1});
  CHECK(q.to_vector<float>() == std::vector<float>{3});
}

TEST_CASE("an average of weights follows them, changes places with them, and goes on exactly") {
  const Tensor p = parameter({1, 2, 3});
  Sgd sgd({{"p", p, true}}, {.learning_rate = 1});
  WeightAverage average(sgd, 0.5);
  const auto averages = [&] { return average.averages()[0].tensor.to_vector<float>(); };
  CHECK(averages() == std::vector<float>{1, 2, 3});
  double expected = 1, weight = 1;
  for (int t = 1; t <= 12; ++t) {
    set_gradient(p, 1);
    sgd.step();
    average.update();
    weight -= 1;
    const double decay = std::min(0.5, (1.0 + t) / (10 + t));
    expected = decay * expected + (1 - decay) * weight;
    CHECK(averages()[0] == Approx(expected).epsilon(1e-6));
  }
  const std::vector<float> weights = p.to_vector<float>(), mean = averages();
  average.swap();
  CHECK(p.to_vector<float>() == mean);
  CHECK(averages() == weights);
  average.swap();
  CHECK(p.to_vector<float>() == weights);

  const Tensor q = parameter({0, 0, 0});
  Sgd other({{"p", q, true}}, {.learning_rate = 1});
  WeightAverage resumed(other, 0.5);
  resumed.load_state(average.state());
  q.detach().copy_from(p);
  for (WeightAverage* a : {&average, &resumed}) a->update();
  CHECK(resumed.averages()[0].tensor.to_vector<float>() == averages());

  const std::vector<float> last = averages();
  set_gradient(p, std::nan(""));
  CHECK_FALSE(sgd.step());
  average.update();  // the step was left out, and does not count
  CHECK(averages() == last);
  CHECK(average.state().back().tensor.item() == 13);
  CHECK_THROWS_AS(resumed.load_state({}), Error);
  CHECK_THROWS_AS(WeightAverage(sgd, 1), Error);
}
