// Clipping and Adam over all parameters at once; also with the copy in bf16 that products in bf16 read.

#include "glimpse/kernels/optimizer.h"

#include "suite.h"

namespace glimpse::bench {
namespace {

template <class Device, class T>
Subject adam(Device device, T, std::int64_t n, bool with_copy, const Rotation& rotation) {
  // Parameter, gradient and both moments, in and out: the gradient is left at zero for the next step.
  const Cost cost = {static_cast<double>(n) * (8 * sizeof(T) + (with_copy ? 2 : 0)), 20.0 * static_cast<double>(n)};
  const kernels::AdamStep step{0.9, 0.999, 1e-8, 0, 0};
  const kernels::StepDecision host_decision{
      .count = 3, .clip_value = 0.8, .learning_rate = 1e-3, .rate = 3.7e-3, .root = 18.3};
  const Lab lab(device, cost, rotation);
  const auto host_p = draw<T>(n, 1), host_g = draw<T>(n, 2), host_m = draw<T>(n, 3, 0.1);
  auto host_v = draw<T>(n, 4);
  for (T& v : host_v) v = v * v;
  const auto p = lab.input(host_p), g = lab.input(host_g), m = lab.input(host_m), v = lab.input(host_v);
  const auto decision = lab.shared_input(std::vector<kernels::StepDecision>{host_decision});
  const auto copy = lab.template output<bf16>(with_copy ? n : 1);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::adam_step(device, n, step, decision[0], p[set], g[set], m[set], v[set],
                               with_copy ? copy[set] : nullptr);
          },
          [=] {
            auto true_p = widened(host_p), true_g = widened(host_g), true_m = widened(host_m), true_v = widened(host_v);
            kernels::adam_step(Cpu{}, n, step, &host_decision, true_p.data(), true_g.data(), true_m.data(),
                               true_v.data());
            // The copy is right when it is what p rounds to.
            std::vector<bf16> rounded(host_p.size());
            kernels::convert(Cpu{}, n, p.host().data(), rounded.data());
            const double of_copy = with_copy ? copy.error(widened(rounded)) : 0;
            return std::max({p.error(true_p), g.error(true_g), m.error(true_m), v.error(true_v), of_copy});
          }};
}

void add_rows(Suite& suite) {
  // Parameters of the decoder: grid of 512 channels and 2541 words, grid of 2048 channels and 9490 words.
  const std::vector<std::int64_t> sizes =
      suite.tiny() ? std::vector<std::int64_t>{1001} : std::vector<std::int64_t>{7'100'000, 20'500'000};
  for (const std::int64_t n : sizes)
    for (const bool with_copy : {false, true})
      suite.add<float>(
          with_copy ? "adam_step_bf16_copy" : "adam_step", {{"n", n}},
          [=](auto device, auto type, const Rotation& rotation) { return adam(device, type, n, with_copy, rotation); });
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
