#include <cmath>

#include "op_case.h"

namespace glimpse::test {
namespace {

constexpr double eps = 1e-5, momentum = 0.1;

/// Sizes: images, channels, height, width, train (0 or 1).
Tensors batch_norm_inputs(const Sizes& s, Draw& draw) {
  return {draw.normal({s[0], s[1], s[2], s[3]}, 0.5, 2), draw.normal({s[1]}), draw.normal({s[1]}), draw.normal({s[1]}),
          draw.uniform({s[1]}, 0.5, 2)};
}

/// y and the running statistics, which training moves.
Tensors run_batch_norm(const Sizes& s, const Tensors& in) {
  const BatchNormState state{in[3].clone(), in[4].clone()};
  const Tensor y = batch_norm(in[0], in[1], in[2], state, s[4] == 1, momentum, eps);
  return {y, state.running_mean, state.running_var};
}

Tensors batch_norm_reference(const Sizes& s, const Tensors& in) {
  const std::int64_t area = s[2] * s[3];
  const double count = static_cast<double>(s[0] * area);
  const Tensor y = empty_like(in[0]), running_mean = in[3].clone(), running_var = in[4].clone();
  for (std::int64_t c = 0; c < s[1]; ++c) {
    const auto each = [&](auto&& body) {
      for (std::int64_t n = 0; n < s[0]; ++n)
        for (std::int64_t p = 0; p < area; ++p) body((n * s[1] + c) * area + p);
    };
    double mean = at(in[3], c), variance = at(in[4], c);
    if (s[4] == 1) {
      mean = variance = 0;
      each([&](std::int64_t i) { mean += at(in[0], i) / count; });
      each([&](std::int64_t i) { variance += (at(in[0], i) - mean) * (at(in[0], i) - mean) / count; });
      at(running_mean, c) = 0.9 * at(in[3], c) + 0.1 * mean;
      at(running_var, c) = 0.9 * at(in[4], c) + 0.1 * variance * count / (count - 1);
    }
    each([&](std::int64_t i) {
      at(y, i) = (at(in[0], i) - mean) / std::sqrt(variance + eps) * at(in[1], c) + at(in[2], c);
    });
  }
  return {y, running_mean, running_var};
}

const OpCaseRegistrar norm({
    .name = "batch_norm",
    .sizes = {{0, 3, 2, 2, 0},
              {1, 1, 1, 1, 0},
              {2, 3, 4, 5, 0},
              {3, 33, 1, 1, 0},
              {1, 2, 31, 32, 0},
              {1, 1, 1, 1000, 0},
              {2, 1, 1, 1, 1},
              {2, 3, 4, 5, 1},
              {3, 33, 1, 1, 1},
              {1, 2, 31, 32, 1},
              {1, 1, 1, 1000, 1}},
    .inputs = batch_norm_inputs,
    .run = [](const Sizes& s, const Tensors& in) { return Tensors{run_batch_norm(s, in)[0]}; },
    .reference = [](const Sizes& s, const Tensors& in) { return Tensors{batch_norm_reference(s, in)[0]}; },
    .constants = {3, 4},
    .absolute = 256,
    .bench_sizes = {{32, 64, 56, 56, 0}, {32, 64, 56, 56, 1}},
});

/// No gradient flows through the running statistics.
const OpCaseRegistrar running({
    .name = "batch_norm_running_statistics",
    .sizes = {{2, 3, 4, 5, 0}, {2, 3, 4, 5, 1}, {1, 1, 1, 1000, 1}},
    .inputs = batch_norm_inputs,
    .run = run_batch_norm,
    .reference = batch_norm_reference,
    .constants = {0, 1, 2, 3, 4},
    .absolute = 256,
});

}  // namespace
}  // namespace glimpse::test
