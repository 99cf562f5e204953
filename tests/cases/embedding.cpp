#include "op_case.h"

namespace glimpse::test {
namespace {

/// sizes: words, V, E. Words repeat, and some are never used.
const OpCaseRegistrar embedding_case({
    .name = "embedding",
    .sizes = {{0, 3, 2}, {1, 1, 1}, {31, 50, 33}, {33, 5, 31}, {1000, 7, 3}, {4, 1000, 32}, {64, 3, 300}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal({s[1], s[2]}), draw.words({s[0]}, s[1])};
        },
    .run =
        [](const Sizes& s, const Tensors& in) {
          return Tensors{embedding(in[0], s[0] % 2 ? in[1] : in[1].reshape({2, s[0] / 2}))};
        },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          Tensor y = empty(s[0] % 2 ? Shape{s[0], s[2]} : Shape{2, s[0] / 2, s[2]}, DType::f64);
          for (std::int64_t i = 0; i < s[0]; ++i)
            for (std::int64_t j = 0; j < s[2]; ++j)
              at(y, i * s[2] + j) = at(in[0], in[1].data<std::int32_t>()[i] * s[2] + j);
          return Tensors{y};
        },
    .absolute = 100,
    .bytes = [](const Sizes& s) { return 8.0 * static_cast<double>(s[0] * s[2]); },
    .bench_sizes = {{750, 9490, 512}},
});

/// sizes: rows picked, rows, inner dimension.
const OpCaseRegistrar gather_rows_case({
    .name = "gather_rows",
    .sizes = {{0, 3, 2}, {1, 1, 1}, {31, 50, 33}, {33, 5, 31}, {1000, 7, 3}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal({s[1], s[2], 2}), draw.words({s[0]}, s[1])};
        },
    .run = [](const Sizes&, const Tensors& in) { return Tensors{gather_rows(in[0], in[1])}; },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          const std::int64_t width = 2 * s[2];
          Tensor y = empty({s[0], s[2], 2}, DType::f64);
          for (std::int64_t i = 0; i < s[0]; ++i)
            for (std::int64_t j = 0; j < width; ++j)
              at(y, i * width + j) = at(in[0], in[1].data<std::int32_t>()[i] * width + j);
          return Tensors{y};
        },
    .absolute = 100,
});

}  // namespace
}  // namespace glimpse::test
