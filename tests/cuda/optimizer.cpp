#include "glimpse/kernels/optimizer.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

const std::vector<std::int64_t> lengths = {0, 1, 31, 32, 33, 196, 1000, 8195};

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
void check_all(std::int64_t n) {
  const Clip clip{0.8, 0.5}, none{std::numeric_limits<double>::infinity(), 1};
  const SgdStep sgd{0.1, 0.9, 0.01};
  const RmsPropStep rmsprop{0.1, 0.9, 1e-4, 0.9, 0.01};
  check_step<T>("adam", n, [&](auto device, auto* p, auto* g, auto* m, auto* v) {
    adam_step(device, n, AdamStep{0.01, 0.9, 0.999, 1e-2, 0.01, 0.02, 3}, clip, p, g, m, v);
  });
  check_step<T>("adam without clipping", n, [&](auto device, auto* p, auto* g, auto* m, auto* v) {
    adam_step(device, n, AdamStep{0.01, 0.9, 0.999, 1e-2, 0, 0, 1}, none, p, g, m, v);
  });
  check_step<T>("sgd", n,
                [&](auto device, auto* p, auto* g, auto* m, auto*) { sgd_step(device, n, sgd, clip, p, g, m); });
  check_step<T>("sgd without momentum", n, [&](auto device, auto* p, auto* g, auto* m, auto*) {
    sgd_step(device, n, SgdStep{0.1, 0, 0.01}, clip, p, g, decltype(m){nullptr});
  });
  check_step<T>("rmsprop", n, [&](auto device, auto* p, auto* g, auto* m, auto* v) {
    rmsprop_step(device, n, rmsprop, clip, p, g, v, m);
  });
  check_step<T>("rmsprop without momentum", n, [&](auto device, auto* p, auto* g, auto* m, auto* v) {
    rmsprop_step(device, n, RmsPropStep{0.1, 0.9, 1e-4, 0, 0}, clip, p, g, v, decltype(m){nullptr});
  });
}

}  // namespace

TEST_CASE("optimizer steps") {
  for (const std::int64_t n : lengths) {
    check_all<float>(n);
    check_all<double>(n);
  }
}

TEST_CASE("Adam leaves a copy of the parameters in bf16") {
  const AdamStep step{0.01, 0.9, 0.999, 1e-4, 0.01, 0.02, 3};
  const Clip clip{0.8, 0.5};
  for (const std::int64_t n : lengths)
    for (const std::int64_t lead : {0, 1}) {  // the second cannot be written in packs
      INFO(n << " elements, " << lead << " into their memory");
      std::vector<float> host = state<float>(n);
      std::vector<bf16> expected(static_cast<std::size_t>(n));
      const DeviceArray<float> all(host);
      adam_step(Cpu{}, n, step, clip, host.data(), host.data() + n, host.data() + 2 * n, host.data() + 3 * n,
                expected.data());
      const DeviceArray<bf16> copy(n + lead);
      adam_step(Cuda{}, n, step, clip, all.data(), all.data() + n, all.data() + 2 * n, all.data() + 3 * n,
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
  const auto check_type = [](auto zero) {
    using T = decltype(zero);
    for (const std::int64_t n : lengths)
      for (const std::int64_t lead : {0, 1}) {  // the second cannot be read in packs
        INFO(n << " elements, " << lead << " into their memory");
        const std::vector<T> both = draw<T>(2 * n + 2 * lead, 3);
        std::vector<double> truth = to_double(both);
        move_average(Cpu{}, n, 0.3, truth.data() + lead, truth.data() + n + 2 * lead);
        const std::vector<T> after = repeated<T>("move_average", [&] {
          const DeviceArray<T> all(both);
          move_average(Cuda{}, n, 0.3, all.data() + lead, all.data() + n + 2 * lead);
          return all.host();
        });
        check_close("move_average", after, truth, 4, 4);
      }
  };
  check_type(0.0f);
  check_type(0.0);
}

TEST_CASE("sums of squared gradients") {
  // The last has more parts than a block has threads.
  for (const std::int64_t n : {0, 1, 33, 1000, 16384, 16385, 70000, 257 * 16384 + 5}) {
    const std::vector<float> g = draw<float>(n, 2);
    const GradientSums truth = gradient_sums(Cpu{}, n, 0.5, to_double(g).data());
    const std::vector<double> got = repeated<double>("gradient_sums", [&] {
      const DeviceArray<float> in(g);
      const GradientSums sums = gradient_sums(Cuda{}, n, 0.5, in.data());
      return std::vector<double>{sums.all, sums.clipped};
    });
    // The CPU adds 4096 squares, then the sums; the device has shorter chains.
    check_close("gradient_sums", got, {truth.all, truth.clipped}, 0, 2 + sum_errors<double>(4096 + n / 4096));
  }
  std::vector<float> g(100, 1.0f);
  g[70] = std::numeric_limits<float>::quiet_NaN();
  const DeviceArray<float> in(g);
  CHECK(!std::isfinite(gradient_sums(Cuda{}, 100, 0.5, in.data()).all));
}
