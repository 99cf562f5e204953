#include "glimpse/kernels/optimizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

const std::vector<std::int64_t> lengths = {0, 1, 31, 32, 33, 196, 1000, 8195};

/// A decision where both devices can read it.
class Decided {
 public:
  explicit Decided(const StepDecision& decision) : host_(decision), device_(std::vector<StepDecision>{decision}) {}
  const StepDecision* at(Cpu) const { return &host_; }
  const StepDecision* at(Cuda) const { return device_.data(); }

 private:
  StepDecision host_;
  DeviceArray<StepDecision> device_;
};

/// To clip elements to +-0.8 and halve what is left, or to take them as they are; with Adam's correction for its third
/// step.
StepDecision decided(double rate, bool clipped) {
  return {.count = 3,
          .clip_value = clipped ? 0.8 : std::numeric_limits<double>::infinity(),
          .scale = clipped ? 0.5 : 1,
          .learning_rate = rate,
          .rate = rate / (1 - std::pow(0.9, 3)),
          .root = 1 / std::sqrt(1 - std::pow(0.999, 3))};
}

/// Parameter, gradient, two moments, one after another. The second moment is at least 0.1: a root near 0 would magnify
/// the roundings of the gradient without bound.
template <class T>
std::vector<T> state(std::int64_t n) {
  std::vector<T> all = draw<T>(4 * n, 1);
  for (std::size_t i = static_cast<std::size_t>(3 * n); i < all.size(); ++i)
    all[i] = static_cast<T>(0.1) + all[i] * all[i];
  return all;
}

/// Runs step(device, p, g, m, v) on both devices, `lead` elements into the buffers, and compares all four arrays.
template <class T, class Step>
void check_step(const std::string& name, std::int64_t n, Step step) {
  const std::vector<T> before = state<T>(n);
  std::vector<double> truth = to_double(before);
  step(Cpu{}, truth.data(), truth.data() + n, truth.data() + 2 * n, truth.data() + 3 * n);
  const std::vector<T> after = repeated<T>(name, [&] {
    const DeviceArray<T> all(before);
    step(Cuda{}, all.data(), all.data() + n, all.data() + 2 * n, all.data() + 3 * n);
    return all.host();
  });
  // The largest error is that of RMSProp's b = 0.9 b + x / (sqrt(v) + eps) with b < 3.5, |x| < 0.44, sqrt(v) > 0.3. In
  // roundings: 3 of 0.9 b, 3 of x divided by 0.3, 6 of the quotient, so 9.5 + 4.4 + 9. Those of sums and of v are
  // relative.
  check_close(name + " (" + std::to_string(n) + ")", after, truth, 24, 4);
}

template <class T>
void check_all(std::int64_t n, const StepDecision& decision) {
  const Decided d(decision);
  const SgdStep sgd{0.9, 0.01};
  const RmsPropStep rmsprop{0.9, 1e-4, 0.9, 0.01};
  check_step<T>("adam", n, [&](auto device, auto* p, auto* g, auto* m, auto* v) {
    adam_step(device, n, AdamStep{0.9, 0.999, 1e-2, 0.01, 0.02}, d.at(device), p, g, m, v);
  });
  check_step<T>("sgd", n, [&](auto device, auto* p, auto* g, auto* m, auto*) {
    sgd_step(device, n, sgd, d.at(device), p, g, m);
  });
  check_step<T>("sgd without momentum", n, [&](auto device, auto* p, auto* g, auto* m, auto*) {
    sgd_step(device, n, SgdStep{0, 0.01}, d.at(device), p, g, decltype(m){nullptr});
  });
  check_step<T>("rmsprop", n, [&](auto device, auto* p, auto* g, auto* m, auto* v) {
    rmsprop_step(device, n, rmsprop, d.at(device), p, g, v, m);
  });
  check_step<T>("rmsprop without momentum", n, [&](auto device, auto* p, auto* g, auto* m, auto* v) {
    rmsprop_step(device, n, RmsPropStep{0.9, 1e-4, 0, 0}, d.at(device), p, g, v, decltype(m){nullptr});
  });
}

}  // namespace

TEST_CASE("optimizer steps") {
  for (const std::int64_t n : lengths)
    for (const bool clipped : {false, true}) {
      check_all<float>(n, decided(0.03, clipped));
      check_all<double>(n, decided(0.03, clipped));
    }
}

TEST_CASE("a step with a bad gradient zeroes it and leaves all else, on both devices") {
  StepDecision decision = decided(0.03, true);
  for (const double bad : {0.0, 5.0}) {
    decision.bad = bad;
    const Decided d(decision);
    for (const std::int64_t n : {1, 33, 8195}) {
      const auto check_device = [&](auto device, const std::string& name, auto step) {
        std::vector<float> before = state<float>(n), after = before;
        before[static_cast<std::size_t>(n) + 0] = std::numeric_limits<float>::quiet_NaN();
        if constexpr (std::is_same_v<decltype(device), Cuda>) {
          const DeviceArray<float> all(before);
          step(all.data(), all.data() + n, all.data() + 2 * n, all.data() + 3 * n);
          after = all.host();
        } else {
          after = before;
          step(after.data(), after.data() + n, after.data() + 2 * n, after.data() + 3 * n);
        }
        std::fill_n(before.begin() + n, n, 0.0f);
        check_same(name, after, before);
      };
      const auto check_both = [&](auto device) {
        check_device(device, "adam", [&](float* p, float* g, float* m, float* v) {
          adam_step(device, n, AdamStep{0.9, 0.999, 1e-2, 0.01, 0.02}, d.at(device), p, g, m, v);
        });
        check_device(device, "sgd", [&](float* p, float* g, float* m, float*) {
          sgd_step(device, n, SgdStep{0.9, 0.01}, d.at(device), p, g, m);
        });
        check_device(device, "rmsprop", [&](float* p, float* g, float* m, float* v) {
          rmsprop_step(device, n, RmsPropStep{0.9, 1e-4, 0.9, 0.01}, d.at(device), p, g, v, m);
        });
      };
      check_both(Cpu{});
      check_both(Cuda{});
    }
  }
}

TEST_CASE("Adam leaves a copy of the parameters in bf16") {
  const AdamStep step{0.9, 0.999, 1e-4, 0.01, 0.02};
  const Decided d(decided(0.01, true));
  for (const std::int64_t n : lengths)
    for (const std::int64_t lead : {0, 1}) {  // the second cannot be written in packs
      INFO(n << " elements, " << lead << " into their memory");
      std::vector<float> host = state<float>(n);
      std::vector<bf16> expected(static_cast<std::size_t>(n));
      const DeviceArray<float> all(host);
      adam_step(Cpu{}, n, step, d.at(Cpu{}), host.data(), host.data() + n, host.data() + 2 * n, host.data() + 3 * n,
                expected.data());
      const DeviceArray<bf16> copy(n + lead);
      adam_step(Cuda{}, n, step, d.at(Cuda{}), all.data(), all.data() + n, all.data() + 2 * n, all.data() + 3 * n,
                copy.data() + lead);
      const std::vector<float> after = all.host();
      const std::vector<bf16> copied = copy.host();
      for (std::size_t i = 0; i < expected.size(); ++i) {
        REQUIRE(copied[i + static_cast<std::size_t>(lead)].bits == bf16(after[i]).bits);
        REQUIRE(expected[i].bits == bf16(host[i]).bits);
      }
      check_close("parameters", after, to_double(host), 8, 8);
    }
}

TEST_CASE("moving averages of parameters") {
  const AverageDecision decision{.count = 2, .rate = 0.3};
  const DeviceArray<AverageDecision> device_decision(std::vector<AverageDecision>{decision});
  const auto check_type = [&](auto zero) {
    using T = decltype(zero);
    for (const std::int64_t n : lengths)
      for (const std::int64_t lead : {0, 1}) {  // the second cannot be read in packs
        INFO(n << " elements, " << lead << " into their memory");
        const std::vector<T> both = draw<T>(2 * n + 2 * lead, 3);
        std::vector<double> truth = to_double(both);
        move_average(Cpu{}, n, &decision, truth.data() + lead, truth.data() + n + 2 * lead);
        const std::vector<T> after = repeated<T>("move_average", [&] {
          const DeviceArray<T> all(both);
          move_average(Cuda{}, n, device_decision.data(), all.data() + lead, all.data() + n + 2 * lead);
          return all.host();
        });
        check_close("move_average", after, truth, 4, 4);
      }
  };
  check_type(0.0f);
  check_type(0.0);
}

TEST_CASE("an average moves faster at first, and not after a step that was left out") {
  for (const double bad : {-1.0, 7.0})
    for (const double count : {0.0, 5.0, 5000.0}) {
      const Decided step({.bad = bad, .count = 99});
      AverageDecision truth{.count = count, .rate = 9};
      const DeviceArray<AverageDecision> found(std::vector<AverageDecision>{truth});
      decide_average(Cpu{}, 0.99, step.at(Cpu{}), &truth);
      decide_average(Cuda{}, 0.99, step.at(Cuda{}), found.data());
      CHECK(truth.count == count + (bad < 0));
      const double decay = std::min(0.99, (2 + count) / (11 + count));
      CHECK(std::abs(truth.rate - (bad < 0 ? 1 - decay : 0)) < 1e-15);
      CHECK(found.host()[0].count == truth.count);
      CHECK(std::abs(found.host()[0].rate - truth.rate) < 1e-15);
    }
  const std::vector<float> both{1, 2, 3, std::numeric_limits<float>::infinity(), 5, 6};
  const DeviceArray<float> all(both);
  const DeviceArray<AverageDecision> none(std::vector<AverageDecision>{{.count = 3, .rate = 0}});
  move_average(Cuda{}, 3, none.data(), all.data() + 3, all.data());
  CHECK(all.host() == both);
}

namespace {

constexpr StepRule rule{.clip_value = 0.5, .clip_norm = 4, .learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.999};

/// What both devices decide, from `count` steps on.
template <class T>
std::pair<StepDecision, StepDecision> decide_both(const std::vector<T>& g, const StepRule& by, double count = 4) {
  const std::int64_t n = std::ssize(g);
  StepDecision truth{.count = count};
  decide_step(Cpu{}, n, by, to_double(g).data(), &truth);
  const std::vector<double> numbers = repeated<double>("decide_step", [&] {
    const DeviceArray<T> in(g);
    const DeviceArray<StepDecision> decision(std::vector<StepDecision>{{.count = count}});
    decide_step(Cuda{}, n, by, in.data(), decision.data());
    const auto host = std::bit_cast<std::array<double, 8>>(decision.host()[0]);
    return std::vector<double>(host.begin(), host.end());
  });
  std::array<double, 8> eight{};
  std::copy(numbers.begin(), numbers.end(), eight.begin());
  return {truth, std::bit_cast<StepDecision>(eight)};
}

}  // namespace

TEST_CASE("a step is decided on the device as on the CPU") {
  // The last has more parts than a block has threads.
  for (const std::int64_t n : {0, 1, 33, 1000, 16384, 16385, 70000, 257 * 16384 + 5})
    for (const double clip_norm : {0.0, 4.0, 1e9}) {
      INFO(n << " gradients, their norm clipped to " << clip_norm);
      StepRule by = rule;
      by.clip_norm = clip_norm;
      const auto [truth, found] = decide_both(draw<float>(n, 2), by);
      // The CPU adds 4096 squares, then the sums; the device has shorter chains.
      check_close("norm and scale", std::vector<double>{found.norm, found.scale}, {truth.norm, truth.scale}, 0,
                  4 + sum_errors<double>(4096 + n / 4096));
      CHECK((truth.bad == -1 && found.bad == -1));
      CHECK((truth.count == 5 && found.count == 5));
      CHECK((truth.scale < 1) == (clip_norm == 4 && n > 33));
      CHECK(found.clip_value == 0.5);
      CHECK(found.learning_rate == 0.1);
      check_close("rate and root", std::vector<double>{found.rate, found.root},
                  {0.1 / (1 - std::pow(0.9, 5)), 1 / std::sqrt(1 - std::pow(0.999, 5))}, 0, 64);
    }
}

TEST_CASE("the first gradient that is not finite is found, and the step is not counted") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<std::int64_t>& places :
       {std::vector<std::int64_t>{0}, {70, 40000}, {69999}, {16384 + 300, 16384 + 44}, {20000, 19999, 20001, 40000}}) {
    std::vector<float> g = draw<float>(70000, 2);
    for (std::size_t i = 0; i < places.size(); ++i) g[places[i]] = i % 2 ? nan : -infinity;
    const auto [truth, found] = decide_both(g, rule);
    CHECK(truth.bad == static_cast<double>(*std::min_element(places.begin(), places.end())));
    CHECK(found.bad == truth.bad);
    CHECK((!std::isfinite(truth.norm) && !std::isfinite(found.norm)));
    CHECK((truth.count == 4 && found.count == 4));
  }
  const auto [truth, found] = decide_both(std::vector<double>(100, 1e200), rule);  // too large a sum
  CHECK((truth.bad == 100 && found.bad == 100));
}
