// Kernels that only the decoder uses and that are no ops of their own: products with packed matrices, the likeliest
// words.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "catch.h"
#include "glimpse/engine/random.h"
#include "glimpse/engine/tensor.h"
#include "glimpse/kernels/packed_gemm.h"
#include "glimpse/kernels/topk.h"

using namespace glimpse;
using kernels::Cpu;

namespace {

template <class T>
Tensor random(const Shape& shape) {
  static Generator generator(17);
  const Tensor x = empty(shape, dtype_of<T>);
  fill_normal(x, 0, 1, generator);
  return x;
}

/// Largest error of a packed product against sums in double, in units of the type's precision times the number of
/// terms: each addition of k rounds a partial sum, which grows with their number.
template <class T>
double packed_error(std::int64_t m, std::int64_t n, std::int64_t k, bool transposed, bool accumulate) {
  constexpr std::int64_t margin = 3;  // the matrix is part of a wider one
  const std::int64_t rows = transposed ? n : k, columns = transposed ? k : n, stride = columns + margin;
  const Tensor weight = random<T>({rows, stride}), a = random<T>({m, k}), c = random<T>({m, n}), before = c.clone();
  const Tensor packed = empty({kernels::packed_size<T>(Cpu{}, k, n)}, dtype_of<T>);
  kernels::pack<T>(Cpu{}, k, n, {weight.data<T>() + 1, stride, transposed}, packed.data<T>());
  kernels::packed_gemm<T>(Cpu{}, m, n, k, a.data<T>(), packed.data<T>(), accumulate, c.data<T>());
  double worst = 0;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = accumulate ? static_cast<double>(before.data<T>()[i * n + j]) : 0;
      for (std::int64_t l = 0; l < k; ++l)
        sum += static_cast<double>(a.data<T>()[i * k + l]) *
               static_cast<double>(weight.data<T>()[1 + (transposed ? j * stride + l : l * stride + j)]);
      worst = std::max(worst, std::abs(static_cast<double>(c.data<T>()[i * n + j]) - sum));
    }
  return worst / (std::numeric_limits<T>::epsilon() * static_cast<double>(k + 4));
}

}  // namespace

TEST_CASE("a packed product is the product") {
  struct Size {
    std::int64_t m, n, k;
  };
  for (const Size s : {Size{1, 1, 1},
                       {2, 3, 5},
                       {7, 31, 33},
                       {64, 65, 64},
                       {33, 130, 17},
                       {5, 4, 0},
                       {0, 3, 2},
                       {70, 1, 100},
                       {11, 200, 9},
                       {4, 48, 600}})
    for (const bool transposed : {false, true})
      for (const bool accumulate : {false, true}) {
        INFO(s.m << " x " << s.n << " x " << s.k << " transposed " << transposed << " accumulate " << accumulate);
        CHECK(packed_error<float>(s.m, s.n, s.k, transposed, accumulate) < 4);
        CHECK(packed_error<double>(s.m, s.n, s.k, transposed, accumulate) < 4);
      }
}

TEST_CASE("one packed matrix serves any number of rows") {
  const std::int64_t n = 96, k = 80;
  const Tensor weight = random<float>({n, k}), a = random<float>({50, k}), all = empty({50, n}), part = empty({50, n});
  const Tensor packed = empty({kernels::packed_size<float>(Cpu{}, k, n)});
  kernels::pack<float>(Cpu{}, k, n, {weight.data<float>(), k, true}, packed.data<float>());
  kernels::packed_gemm<float>(Cpu{}, 50, n, k, a.data<float>(), packed.data<float>(), false, all.data<float>());
  for (std::int64_t m = 1; m < 50; m += 6) {
    kernels::packed_gemm<float>(Cpu{}, m, n, k, a.data<float>(), packed.data<float>(), false, part.data<float>());
    for (std::int64_t i = 0; i < m * n; ++i) REQUIRE(part.data<float>()[i] == all.data<float>()[i]);
  }
}

TEST_CASE("the likeliest words are those of a sorted row") {
  for (const std::int64_t v : {5, 64, 65, 1000})
    for (const std::int64_t k : {1, 3, 5}) {
      const Tensor logits = random<float>({4, v});
      float* x = logits.data<float>();
      for (std::int64_t i = 0; i < 4 * v; ++i) x[i] = std::round(x[i] * 8) / 8;  // many ties
      const std::vector<std::int32_t> banned{0, 4};
      std::vector<double> value(static_cast<std::size_t>(4 * k));
      std::vector<std::int32_t> index(static_cast<std::size_t>(4 * k));
      kernels::log_softmax_topk<float>(Cpu{}, {4, v, k, x, banned.data(), 2, value.data(), index.data()});
      for (std::int64_t r = 0; r < 4; ++r) {
        std::vector<std::int32_t> order;
        double sum = 0;
        for (std::int32_t i = 0; i < v; ++i) {
          sum += std::exp(static_cast<double>(x[r * v + i]));
          if (i != 0 && i != 4) order.push_back(i);
        }
        std::stable_sort(order.begin(), order.end(),
                         [&](std::int32_t a, std::int32_t b) { return x[r * v + a] > x[r * v + b]; });
        for (std::int64_t j = 0; j < k; ++j) {
          const auto at = static_cast<std::size_t>(r * k + j);
          if (j >= static_cast<std::int64_t>(order.size())) {
            CHECK(index[at] == -1);
            CHECK(value[at] == -std::numeric_limits<double>::infinity());
            continue;
          }
          const std::int32_t expected = order[j];
          REQUIRE(index[at] == expected);
          CHECK(value[at] == Approx(static_cast<double>(x[r * v + expected]) - std::log(sum)).epsilon(1e-6));
        }
      }
    }
}

TEST_CASE("the rank of a word counts those before it, ties by their order") {
  const std::vector<double> logits{1, 3, 3, 2, 3, 0};
  std::vector<std::int32_t> rank(6);
  const std::vector<std::int32_t> expected{4, 0, 1, 3, 2, 5};
  for (std::int32_t target = 0; target < 6; ++target) {
    kernels::rank_of_target<double>(Cpu{}, 1, 6, logits.data(), &target, &rank[0]);
    CHECK(rank[0] == expected[target]);
  }
}
