// Arrays of random numbers.

#include "glimpse/kernels/random.h"

#include "suite.h"

namespace glimpse::bench {
namespace {

/// f(device, n, parameter, parameter, seed, position, x) is one of the kernels. A number costs half a block of Philox
/// and, where it is normal, a logarithm, a root and a cosine.
template <class Device, class T, class F>
Subject fill(Device device, T, F f, double operations, std::int64_t n, const Rotation& rotation) {
  const Cost cost = {static_cast<double>(n) * sizeof(T), operations * static_cast<double>(n)};
  const Lab lab(device, cost, rotation);
  const auto x = lab.template output<T>(n);
  constexpr std::uint64_t seed = 7, position = 1000;
  return {cost, lab.sets(), [=](int set) { f(device, n, 0.0, 1.0, seed, position, x[set]); },
          [=] {
            auto truth = zeros(n);
            f(Cpu{}, n, 0.0, 1.0, seed, position, truth.data());
            return x.error(truth);
          }};
}

void add_rows(Suite& suite) {
  const std::int64_t n = suite.tiny() ? 1001 : std::int64_t{1} << 22;
  const auto add = [&](const char* name, auto f, double operations) {
    suite.add<float>(name, {{"n", n}}, [=](auto device, auto type, const Rotation& rotation) {
      return fill(device, type, f, operations, n, rotation);
    });
  };
  add(
      "fill_uniform", [](auto... a) { kernels::fill_uniform(a...); }, 50);
  add(
      "fill_normal", [](auto... a) { kernels::fill_normal(a...); }, 90);
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
