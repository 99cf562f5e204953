#include <numeric>

#include "op_case.h"

namespace glimpse::test {
namespace {

const std::vector<std::vector<int>> orders = {{0, 1, 2, 3}, {0, 2, 3, 1}, {3, 2, 1, 0},
                                              {1, 0, 3, 2}, {0, 3, 1, 2}, {2, 3, 0, 1}};

/// sizes: four dimensions, and which order they get.
const OpCaseRegistrar permute_case({
    .name = "permute",
    .sizes = {{1, 1, 1, 1, 1},
              {2, 31, 4, 33, 1},
              {2, 3, 4, 5, 2},
              {3, 32, 2, 33, 3},
              {2, 5, 1, 31, 4},
              {3, 1, 40, 7, 5},
              {2, 0, 3, 4, 1},
              {2, 3, 4, 5, 0},
              {1, 1000, 1, 2, 2}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal({s[0], s[1], s[2], s[3]})};
        },
    .run = [](const Sizes& s, const Tensors& in) { return Tensors{permute(in[0], orders[s[4]])}; },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          const std::vector<int>& order = orders[s[4]];
          const Shape& x = in[0].shape();
          Tensor y = empty({x[order[0]], x[order[1]], x[order[2]], x[order[3]]}, DType::f64);
          std::int64_t i[4], next = 0;
          for (i[0] = 0; i[0] < x[0]; ++i[0])
            for (i[1] = 0; i[1] < x[1]; ++i[1])
              for (i[2] = 0; i[2] < x[2]; ++i[2])
                for (i[3] = 0; i[3] < x[3]; ++i[3]) {
                  std::int64_t place = 0;
                  for (int d = 0; d < 4; ++d) place = place * y.size(d) + i[order[d]];
                  at(y, place) = at(in[0], next++);
                }
          return Tensors{y};
        },
    .bench_sizes = {{32, 512, 14, 14, 1}, {32, 14, 14, 512, 4}},
});

/// sizes: three dimensions; the middle one is given out to three parts.
const OpCaseRegistrar concat_case({
    .name = "concat",
    .sizes = {{1, 3, 1}, {2, 31, 3}, {3, 32, 1}, {1, 33, 5}, {2, 1000, 2}, {0, 4, 2}, {2, 0, 3}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          const std::int64_t third = s[1] / 3;
          return Tensors{draw.normal({s[0], third, s[2]}), draw.normal({s[0], 0, s[2]}),
                         draw.normal({s[0], s[1] - third, s[2]})};
        },
    .run = [](const Sizes&, const Tensors& in) { return Tensors{concat(in, 1)}; },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          Tensor y = empty({s[0], s[1], s[2]}, DType::f64);
          std::int64_t place = 0;
          for (std::int64_t i = 0; i < s[0]; ++i)
            for (const Tensor& part : in)
              for (std::int64_t j = 0; j < part.size(1) * s[2]; ++j)
                at(y, place++) = at(part, i * part.size(1) * s[2] + j);
          return Tensors{y};
        },
    .bench_sizes = {{64, 512, 196}},
});

/// sizes: three dimensions, begin and end in the middle one.
const OpCaseRegistrar slice_case({
    .name = "slice",
    .sizes =
        {{1, 1, 1, 0, 1}, {2, 33, 3, 1, 32}, {3, 64, 1, 31, 64}, {1, 1000, 2, 0, 33}, {2, 5, 3, 2, 2}, {0, 5, 3, 1, 4}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal({s[0], s[1], s[2]})};
        },
    .run = [](const Sizes& s, const Tensors& in) { return Tensors{slice(in[0], 1, s[3], s[4])}; },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          Tensor y = empty({s[0], s[4] - s[3], s[2]}, DType::f64);
          std::int64_t place = 0;
          for (std::int64_t i = 0; i < s[0]; ++i)
            for (std::int64_t j = s[3] * s[2]; j < s[4] * s[2]; ++j) at(y, place++) = at(in[0], i * s[1] * s[2] + j);
          return Tensors{y};
        },
    .bytes = [](const Sizes& s) { return 8.0 * static_cast<double>(s[0] * (s[4] - s[3]) * s[2]); },
    .bench_sizes = {{64, 512, 196, 128, 384}},
});

/// sizes: rows, columns, begin, end.
const OpCaseRegistrar rows_case({
    .name = "rows",
    .sizes = {{1, 1, 0, 1}, {33, 3, 1, 32}, {5, 1, 2, 2}, {1000, 1, 31, 999}, {0, 3, 0, 0}, {4, 0, 1, 3}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal({s[0], s[1]})};
        },
    .run = [](const Sizes& s, const Tensors& in) { return Tensors{in[0].rows(s[2], s[3])}; },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          Tensor y = empty({s[3] - s[2], s[1]}, DType::f64);
          for (std::int64_t i = 0; i < y.numel(); ++i) at(y, i) = at(in[0], s[2] * s[1] + i);
          return Tensors{y};
        },
});

const OpCaseRegistrar reshape_case({
    .name = "reshape",
    .sizes = {{0}, {1}, {32}, {1000}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal({s[0], 3, 2})};
        },
    .run =
        [](const Sizes& s, const Tensors& in) {
          return Tensors{in[0].reshape({2, s[0], 3}) * 2.0, s[0] ? in[0].reshape({3, -1}) * 3.0 : in[0] * 3.0};
        },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          const std::vector<double> x = in[0].to_vector<double>();
          std::vector<double> y = x, z = x;
          for (double& v : y) v *= 2;
          for (double& v : z) v *= 3;
          return Tensors{from_vector(y, Shape{2, s[0], 3}),
                         s[0] ? from_vector(z, Shape{3, 2 * s[0]}) : from_vector(z, Shape{0, 3, 2})};
        },
});

/// Converting to f32 and back; the tolerances are those of f32.
const OpCaseRegistrar convert_case({
    .name = "convert",
    .sizes = {{0}, {1}, {33}, {1000}},
    .inputs = [](const Sizes& s, Draw& draw) { return Tensors{draw.normal({s[0]})}; },
    .run = [](const Sizes&, const Tensors& in) { return Tensors{in[0].to(DType::f64) * 2.0}; },
    .reference =
        [](const Sizes&, const Tensors& in) {
          std::vector<double> y = in[0].to_vector<double>();
          for (double& v : y) v *= 2;
          return Tensors{from_vector(y)};
        },
});

}  // namespace
}  // namespace glimpse::test
