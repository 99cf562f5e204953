#include "op_case.h"

namespace glimpse::test {
namespace {

OpCase over_all(const char* name, Tensor (*function)(const Tensor&), double (*term)(double), bool average) {
  return {
      .name = name,
      .sizes = average ? std::vector<Sizes>{{1}, {31}, {32}, {33}, {1000}, {70000}}
                       : std::vector<Sizes>{{0}, {1}, {31}, {32}, {33}, {1000}, {70000}},
      .inputs = [](const Sizes& s, Draw& draw) { return Tensors{draw.normal({s[0]})}; },
      .run = [function](const Sizes&, const Tensors& in) { return Tensors{function(in[0])}; },
      .reference =
          [term, average](const Sizes&, const Tensors& in) {
            double total = 0;
            for (std::int64_t i = 0; i < in[0].numel(); ++i) total += term(at(in[0], i));
            return Tensors{full({}, average ? total / static_cast<double>(in[0].numel()) : total, DType::f64)};
          },
      .absolute = 1000,
      .bench_sizes = {{1 << 22}},
  };
}

/// sizes: outer, n, inner; the middle one is summed.
OpCase over_one(const char* name, Tensor (*function)(const Tensor&, int), bool average) {
  return {
      .name = name,
      .sizes = average ? std::vector<Sizes>{{1, 1, 1},
                                            {3, 31, 2},
                                            {4, 32, 1},
                                            {1, 33, 5},
                                            {2, 1000, 1},
                                            {1, 1000, 33},
                                            {0, 3, 4}}
                       : std::vector<Sizes>{{1, 1, 1},
                                            {3, 31, 2},
                                            {4, 32, 1},
                                            {1, 33, 5},
                                            {2, 1000, 1},
                                            {1, 1000, 33},
                                            {0, 3, 4},
                                            {3, 0, 2}},
      .inputs =
          [](const Sizes& s, Draw& draw) {
            return Tensors{draw.normal({s[0], s[1], s[2]})};
          },
      .run = [function](const Sizes& s, const Tensors& in) { return Tensors{function(in[0], s[0] % 2 ? 1 : -2)}; },
      .reference =
          [average](const Sizes& s, const Tensors& in) {
            Tensor y = zeros({s[0], s[2]}, DType::f64);
            for (std::int64_t o = 0; o < s[0]; ++o)
              for (std::int64_t k = 0; k < s[1]; ++k)
                for (std::int64_t i = 0; i < s[2]; ++i)
                  at(y, o * s[2] + i) +=
                      at(in[0], (o * s[1] + k) * s[2] + i) / (average ? static_cast<double>(s[1]) : 1.0);
            return Tensors{y};
          },
      .absolute = 100,
      .bench_sizes = {{1 << 11, 1 << 11, 1}, {1, 1 << 11, 1 << 11}, {64, 196, 512}},
  };
}

const OpCaseRegistrar cases[] = {
    OpCaseRegistrar(over_all(
        "sum", sum, [](double x) { return x; }, false)),
    OpCaseRegistrar(over_all(
        "mean", mean, [](double x) { return x; }, true)),
    OpCaseRegistrar(over_all(
        "mean_square", mean_square, [](double x) { return x * x; }, true)),
    OpCaseRegistrar(over_one("sum_dim", sum, false)),
    OpCaseRegistrar(over_one("mean_dim", mean, true)),
};

}  // namespace
}  // namespace glimpse::test
