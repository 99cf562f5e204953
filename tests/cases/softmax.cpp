#include <algorithm>
#include <cmath>

#include "op_case.h"

namespace glimpse::test {
namespace {

const std::vector<Sizes> matrices = {{0, 3}, {3, 0}, {1, 1}, {5, 31}, {5, 32}, {5, 33}, {2, 1000}};

/// log softmax of row `row` of x (.,V), at v.
double log_probability(const Tensor& x, std::int64_t row, std::int64_t n, std::int64_t v) {
  double max = -HUGE_VAL;
  long double total = 0;  // the errors of this sum are no part of the tolerance
  for (std::int64_t i = 0; i < n; ++i) max = std::max(max, at(x, row * n + i));
  for (std::int64_t i = 0; i < n; ++i) total += std::exp(at(x, row * n + i) - max);
  return at(x, row * n + v) - max - static_cast<double>(std::log(total));
}

OpCase rows_case(const char* name, Tensor (*function)(const Tensor&), double (*of_log)(double)) {
  return {
      .name = name,
      .sizes = matrices,
      .inputs =
          [](const Sizes& s, Draw& draw) {
            return Tensors{draw.normal({s[0], s[1]}, 1, 3)};
          },
      .run = [function](const Sizes&, const Tensors& in) { return Tensors{function(in[0])}; },
      .reference =
          [of_log](const Sizes& s, const Tensors& in) {
            Tensor y = empty_like(in[0]);
            for (std::int64_t r = 0; r < s[0]; ++r)
              for (std::int64_t i = 0; i < s[1]; ++i) at(y, r * s[1] + i) = of_log(log_probability(in[0], r, s[1], i));
            return Tensors{y};
          },
      .absolute = 32,
      .bench_sizes = {{64, 196}, {755, 9490}},
  };
}

const OpCaseRegistrar cases[] = {
    OpCaseRegistrar(rows_case("softmax", softmax, [](double l) { return std::exp(l); })),
    OpCaseRegistrar(rows_case("log_softmax", log_softmax, [](double l) { return l; })),
};

/// sizes: N, V, label smoothing in percent, whether every third target is ignored.
const OpCaseRegistrar cross_entropy_case({
    .name = "cross_entropy",
    .sizes = {{1, 1, 0, 0}, {31, 32, 0, 0}, {32, 33, 0, 1}, {33, 31, 10, 0}, {5, 1000, 10, 1}, {1000, 2, 0, 1}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          Tensors inputs{draw.normal({s[0], s[1]}, 1, 3), draw.words({s[0]}, s[1])};
          if (s[3])
            for (std::int64_t i = 0; i < s[0]; i += 3) inputs[1].data<std::int32_t>()[i] = -1;
          return inputs;
        },
    .run =
        [](const Sizes& s, const Tensors& in) {
          return Tensors{cross_entropy(in[0], in[1], no_ignore_index, static_cast<double>(s[2]) / 100)};
        },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          const double smoothing = static_cast<double>(s[2]) / 100;
          double loss = 0, counted = 0;
          for (std::int64_t r = 0; r < s[0]; ++r) {
            const std::int32_t target = in[1].data<std::int32_t>()[r];
            if (target < 0) continue;
            ++counted;
            loss -= (1 - smoothing) * log_probability(in[0], r, s[1], target);
            for (std::int64_t v = 0; v < s[1]; ++v)
              loss -= smoothing / static_cast<double>(s[1]) * log_probability(in[0], r, s[1], v);
          }
          return Tensors{full({}, loss / counted, DType::f64)};
        },
    .absolute = 32,
    .bench_sizes = {{750, 2541, 0, 0}, {755, 9490, 0, 0}},
});

}  // namespace
}  // namespace glimpse::test
