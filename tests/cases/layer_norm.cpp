#include <cmath>

#include "op_case.h"

namespace glimpse::test {
namespace {

constexpr double eps = 1e-6;

/// Sizes: images, channels, height, width; without the last two a matrix.
Tensors layer_norm_reference(const Sizes& s, const Tensors& in) {
  const std::int64_t channels = s[1], area = s.size() > 2 ? s[2] * s[3] : 1;
  const Tensor y = empty_like(in[0]);
  for (std::int64_t n = 0; n < s[0]; ++n)
    for (std::int64_t p = 0; p < area; ++p) {
      const auto place = [&](std::int64_t c) { return (n * channels + c) * area + p; };
      double mean = 0, variance = 0;
      for (std::int64_t c = 0; c < channels; ++c) mean += at(in[0], place(c)) / static_cast<double>(channels);
      for (std::int64_t c = 0; c < channels; ++c)
        variance += std::pow(at(in[0], place(c)) - mean, 2) / static_cast<double>(channels);
      for (std::int64_t c = 0; c < channels; ++c)
        at(y, place(c)) = (at(in[0], place(c)) - mean) / std::sqrt(variance + eps) * at(in[1], c) + at(in[2], c);
    }
  return {y};
}

const OpCaseRegistrar norm({
    .name = "layer_norm",
    .sizes = {{0, 3, 2, 2},
              {2, 3, 0, 2},
              {1, 1, 1, 1},
              {2, 5, 3, 4},
              {3, 33},
              {2, 31, 1, 1},
              {1, 4, 7, 9},    // a few places fewer than two runs
              {1, 3, 13, 10},  // more than two
              {1, 1000, 1, 2}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          const Shape shape = s.size() > 2 ? Shape{s[0], s[1], s[2], s[3]} : Shape{s[0], s[1]};
          return Tensors{draw.normal(shape, 0.5, 2), draw.normal({s[1]}), draw.normal({s[1]})};
        },
    .run = [](const Sizes&, const Tensors& in) { return Tensors{layer_norm(in[0], in[1], in[2], eps)}; },
    .reference = layer_norm_reference,
    .absolute = 100,
    .bench_sizes = {{32, 96, 56, 56}, {32, 768, 7, 7}},
});

}  // namespace
}  // namespace glimpse::test
