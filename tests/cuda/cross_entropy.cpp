#include "glimpse/kernels/cross_entropy.h"

#include <limits>

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

constexpr double lowest = -std::numeric_limits<double>::infinity();

template <class T>
void check_case(std::int64_t n, std::int64_t v, double smoothing) {
  const std::string what = "cross_entropy (" + std::to_string(n) + "," + std::to_string(v) + ")";
  std::vector<T> logits = draw<T>(n * v, static_cast<std::uint64_t>(v), 4);
  if (smoothing == 0) scatter(logits, 9, lowest, 4);
  std::vector<std::int32_t> target = draw_words(n, static_cast<std::int32_t>(v), 5);
  for (std::size_t r = 0; r < target.size(); ++r) {
    if (r % 5 == 3) target[r] = -7;  // ignored
    if (target[r] >= 0) logits[r * static_cast<std::size_t>(v) + static_cast<std::size_t>(target[r])] = T(1.5f);
  }
  if (n > 2 && smoothing == 0)  // a row without any probability
    for (std::int64_t i = 0; i < v; ++i) logits[2 * v + i] = T(static_cast<float>(lowest));
  const std::vector<T> dloss = {T(0.5f)};

  const std::vector<double> wide = to_double(logits), wide_dloss = to_double(dloss);
  std::vector<double> log_sum(target.size()), loss(target.size()), dlogits(wide.size());
  const CrossEntropyTargets host{target.data(), -7, smoothing};
  cross_entropy_forward(Cpu{}, n, v, wide.data(), host, log_sum.data(), loss.data());
  cross_entropy_backward<double>(Cpu{},
                                 {n, v, wide.data(), host, log_sum.data(), 0.25, wide_dloss.data(), dlogits.data()});

  const DeviceArray<std::int32_t> target_on_device(target);
  const CrossEntropyTargets targets{target_on_device.data(), -7, smoothing};
  const double unit = std::max(eps<T>() * 0x1p-8, 0.0);  // sums of bf16 numbers are made in f32
  const double coarse = sizeof(T) == 2 ? unit : eps<T>();
  std::vector<double> got_log_sum;
  const std::vector<double> got_loss = repeated<double>(what, [&] {
    const DeviceArray<T> in(logits);
    const DeviceArray<double> sum_out(n), loss_out(n);
    cross_entropy_forward(Cuda{}, n, v, in.data(), targets, sum_out.data(), loss_out.data());
    got_log_sum = sum_out.host();
    return loss_out.host();
  });
  const double of_sum = sum_errors<T>(v);  // of e^x, as a share of it; smoothing adds a tenth of the sum of x
  check_close(what + " log_sum_exp", got_log_sum, log_sum, 32 + of_sum, 8, coarse);
  check_close(what + " loss", got_loss, loss, 32 + 2 * of_sum, 16, coarse);
  check_close(
      what + " gradient",
      repeated<T>(
          what,
          [&] {
            const DeviceArray<T> in(logits), up(dloss), out(n * v);
            const DeviceArray<double> sums(log_sum);
            cross_entropy_backward<T>(Cuda{}, {n, v, in.data(), targets, sums.data(), 0.25, up.data(), out.data()});
            cross_entropy_backward<T>(Cuda{}, {n, v, in.data(), targets, sums.data(), 0.25, up.data(), in.data()});
            check_same(what + " in place", in.host(), out.host());
            return out.host();
          }),
      dlogits, 1, 32);
}

}  // namespace

TEST_CASE("cross-entropy, forward and backward") {
  struct Case {
    std::int64_t n, v;
  };
  for (const Case& c : std::vector<Case>{
           {0, 5}, {1, 1}, {67, 31}, {67, 32}, {67, 33}, {4, 196}, {5, 1000}, {3, 2541}, {3, 4096}, {1, 9490}})
    for (const double smoothing : {0.0, 0.1})
      for_each_type([&](auto type, const char*) { check_case<decltype(type)>(c.n, c.v, smoothing); });
}

TEST_CASE("cross-entropy keeps its precision where logits are large") {
  const std::int64_t v = 300;
  std::vector<float> logits = draw<float>(v, 5);
  for (float& x : logits) x += 10000;
  const std::int32_t target = 7;
  const std::vector<double> wide = to_double(logits);
  double log_sum = 0, loss = 0, one = 1;
  std::vector<double> dlogits(wide.size());
  cross_entropy_forward(Cpu{}, 1, v, wide.data(), {&target, -1, 0}, &log_sum, &loss);
  cross_entropy_backward<double>(Cpu{}, {1, v, wide.data(), {&target, -1, 0}, &log_sum, 1.0, &one, dlogits.data()});
  const DeviceArray<float> in(logits), up(std::vector<float>{1}), out(v);
  const DeviceArray<std::int32_t> word(std::vector<std::int32_t>{target});
  const DeviceArray<double> sums(1), losses(1);
  cross_entropy_forward(Cuda{}, 1, v, in.data(), {word.data(), -1, 0}, sums.data(), losses.data());
  cross_entropy_backward<float>(Cuda{},
                                {1, v, in.data(), {word.data(), -1, 0}, sums.data(), 1.0, up.data(), out.data()});
  check_close("loss of large logits", losses.host(), {loss}, 0, 16, eps<float>());
  check_close("gradient of large logits", out.host(), dlogits, 1, 32);
}
