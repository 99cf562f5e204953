#include "op_case.h"

namespace glimpse::test {
namespace {

/// sizes: M, N, K, whether a and b are given transposed.
const OpCaseRegistrar matmul_case({
    .name = "matmul",
    .sizes = {{1, 1, 1, 0, 0},
              {31, 33, 32, 0, 0},
              {33, 31, 1, 1, 0},
              {32, 5, 33, 0, 1},
              {5, 7, 31, 1, 1},
              {2, 3, 1000, 0, 1},
              {0, 3, 2, 0, 0},
              {3, 2, 0, 1, 0},
              {3, 0, 2, 1, 1},
              {130, 70, 300, 1, 0}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal(s[3] ? Shape{s[2], s[0]} : Shape{s[0], s[2]}),
                         draw.normal(s[4] ? Shape{s[1], s[2]} : Shape{s[2], s[1]})};
        },
    .run = [](const Sizes& s, const Tensors& in) { return Tensors{matmul(in[0], in[1], s[3], s[4])}; },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          const std::int64_t M = s[0], N = s[1], K = s[2];
          Tensor c = zeros({M, N}, DType::f64);
          for (std::int64_t m = 0; m < M; ++m)
            for (std::int64_t n = 0; n < N; ++n)
              for (std::int64_t k = 0; k < K; ++k)
                at(c, m * N + n) += at(in[0], s[3] ? k * M + m : m * K + k) * at(in[1], s[4] ? n * K + k : k * N + n);
          return Tensors{c};
        },
    .absolute = 500,
    .flops = [](const Sizes& s) { return 2.0 * static_cast<double>(s[0] * s[1] * s[2]); },
    .bench_sizes = {{64, 2048, 512, 0, 1}, {1024, 1024, 1024, 0, 0}},
});

/// sizes: rows, I, O, with bias, rank of x.
const OpCaseRegistrar linear_case({
    .name = "linear",
    .sizes = {{1, 1, 1, 1, 2},
              {31, 33, 32, 1, 2},
              {33, 5, 31, 0, 2},
              {4, 1000, 3, 1, 2},
              {0, 3, 2, 1, 2},
              {6, 32, 5, 1, 3},
              {1, 7, 5, 1, 1},
              {1, 7, 5, 0, 1}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          const Shape x = s[4] == 1 ? Shape{s[1]} : s[4] == 2 ? Shape{s[0], s[1]} : Shape{2, s[0] / 2, s[1]};
          Tensors inputs{draw.normal(x), draw.normal({s[2], s[1]})};
          if (s[3]) inputs.push_back(draw.normal({s[2]}));
          return inputs;
        },
    .run = [](const Sizes& s,
              const Tensors& in) { return Tensors{s[3] ? linear(in[0], in[1], in[2]) : linear(in[0], in[1])}; },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          Tensor y = empty(in[0].shape().with(-1, s[2]), DType::f64);
          for (std::int64_t r = 0; r < s[0]; ++r)
            for (std::int64_t o = 0; o < s[2]; ++o) {
              double total = s[3] ? at(in[2], o) : 0;
              for (std::int64_t i = 0; i < s[1]; ++i) total += at(in[0], r * s[1] + i) * at(in[1], o * s[1] + i);
              at(y, r * s[2] + o) = total;
            }
          return Tensors{y};
        },
    .absolute = 500,
    .flops = [](const Sizes& s) { return 2.0 * static_cast<double>(s[0] * s[1] * s[2]); },
    .bench_sizes = {{64, 512, 2048, 1, 2}, {750, 512, 2541, 1, 2}},
});

const OpCaseRegistrar transpose_case({
    .name = "transpose",
    .sizes = {{0, 3}, {1, 1}, {31, 33}, {32, 32}, {1000, 3}, {1, 33}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal({s[0], s[1]})};
        },
    .run = [](const Sizes&, const Tensors& in) { return Tensors{transpose(in[0])}; },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          Tensor y = empty({s[1], s[0]}, DType::f64);
          for (std::int64_t i = 0; i < s[0]; ++i)
            for (std::int64_t j = 0; j < s[1]; ++j) at(y, j * s[0] + i) = at(in[0], i * s[1] + j);
          return Tensors{y};
        },
    .bench_sizes = {{4096, 4096}},
});

}  // namespace
}  // namespace glimpse::test
