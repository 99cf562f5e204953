#include <cmath>

#include "op_case.h"

namespace glimpse::test {
namespace {

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// Sizes: batch, hidden.
const OpCaseRegistrar lstm({
    .name = "lstm_cell",
    .sizes = {{0, 3}, {1, 1}, {3, 31}, {2, 32}, {2, 33}, {1, 1000}, {70, 5}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal({s[0], 4 * s[1]}), draw.normal({s[0], s[1]})};
        },
    .run =
        [](const Sizes&, const Tensors& in) {
          const auto [h, c] = lstm_cell(in[0], in[1]);
          return Tensors{h, c};
        },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          const Tensor h = empty_like(in[1]), c = empty_like(in[1]);
          for (std::int64_t b = 0; b < s[0]; ++b)
            for (std::int64_t j = 0; j < s[1]; ++j) {
              const auto gate = [&](std::int64_t k) { return at(in[0], (b * 4 + k) * s[1] + j); };
              const std::int64_t i = b * s[1] + j;
              at(c, i) = logistic(gate(1)) * at(in[1], i) + logistic(gate(0)) * std::tanh(gate(2));
              at(h, i) = logistic(gate(3)) * std::tanh(at(c, i));
            }
          return Tensors{h, c};
        },
    .bench_sizes = {{64, 512}, {256, 512}},
});

}  // namespace
}  // namespace glimpse::test
