// Products whose factors are rounded to bf16, by each unit that this processor has.

#include "glimpse/kernels/bf16_gemm.h"

#include <cmath>
#include <limits>
#include <vector>

#include "catch.h"
#include "glimpse/engine/device.h"
#include "glimpse/engine/random.h"
#include "glimpse/engine/tensor.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/base/half.h"
#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/internal/bf16_tiles.h"
#include "glimpse/kernels/packed_gemm.h"

using namespace glimpse;
using kernels::Bf16Unit;
using kernels::MatmulPrecision;
using kernels::Operand;

namespace {

Tensor random(const Shape& shape) {
  static Generator generator(17);
  const Tensor x = empty(shape);
  fill_normal(x, 0, 1, generator);
  return x;
}

double factor(const Operand<float>& x, std::int64_t i, std::int64_t j) {
  const float value = x.transposed ? x.data[j * x.stride + i] : x.data[i * x.stride + j];
  return static_cast<double>(static_cast<float>(bf16(value)));
}

struct Size {
  std::int64_t m, n, k;
};

/// Largest error of bf16_gemm against sums in double of the rounded factors, in units of f32's precision times the
/// number of terms; the columns beyond n must stay as they are.
double error_of(Size s, bool a_transposed, bool b_transposed, float alpha, float beta) {
  constexpr std::int64_t margin = 3;  // all matrices are parts of wider ones
  const auto operand = [](const Tensor& x, bool transposed) {
    return Operand<float>{x.data<float>() + 1, x.size(1), transposed};
  };
  const auto part = [](std::int64_t rows, std::int64_t columns, bool transposed) {
    return random(transposed ? Shape{columns, rows + margin} : Shape{rows, columns + margin});
  };
  const Tensor memory_a = part(s.m, s.k, a_transposed), memory_b = part(s.k, s.n, b_transposed);
  const Operand<float> a = operand(memory_a, a_transposed), b = operand(memory_b, b_transposed);
  const Tensor c = random({s.m, s.n + margin}), before = c.clone();
  kernels::bf16_gemm(s.m, s.n, s.k, alpha, a, b, beta, c.data<float>(), s.n + margin);
  double worst = 0;
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n + margin; ++j) {
      const std::int64_t at = i * (s.n + margin) + j;
      double expected = static_cast<double>(before.data<float>()[at]);
      if (j < s.n) {
        expected *= static_cast<double>(beta);
        for (std::int64_t l = 0; l < s.k; ++l)
          expected += static_cast<double>(alpha) * factor(a, i, l) * factor(b, l, j);
      }
      worst = std::max(worst, std::abs(static_cast<double>(c.data<float>()[at]) - expected));
    }
  return worst / (static_cast<double>(std::numeric_limits<float>::epsilon()) * static_cast<double>(s.k + 4));
}

/// body() with each unit.
template <class Body>
void for_units(const Body& body) {
  for (const Bf16Unit unit : {Bf16Unit::amx, Bf16Unit::avx512}) {
    kernels::limit_bf16_unit(unit);
    if (kernels::bf16_unit() == unit) {
      INFO((unit == Bf16Unit::amx ? "AMX" : "AVX-512"));
      body();
    }
  }
  kernels::limit_bf16_unit(Bf16Unit::amx);
}

}  // namespace

TEST_CASE("a product of factors rounded to bf16") {
  for_units([] {
    for (const Size s : {Size{1, 1, 1},
                         {2, 3, 5},
                         {16, 16, 32},
                         {17, 33, 31},
                         {33, 16, 64},
                         {64, 65, 100},
                         {5, 4, 0},
                         {0, 3, 2},
                         {3, 0, 2},
                         {600, 20, 40},
                         {8, 100, 33}})
      for (const bool a_transposed : {false, true})
        for (const bool b_transposed : {false, true}) {
          INFO(s.m << " x " << s.n << " x " << s.k << " transposed " << a_transposed << b_transposed);
          CHECK(error_of(s, a_transposed, b_transposed, 1, 0) < 4);
          CHECK(error_of(s, a_transposed, b_transposed, 0.5f, 2) < 8);
        }
  });
}

TEST_CASE("C is not read where beta is 0, and factors that are no numbers stay so") {
  for_units([] {
    const std::vector<float> a{1, std::numeric_limits<float>::quiet_NaN()}, b{2, 3};
    std::vector<float> c(1, std::numeric_limits<float>::quiet_NaN());
    kernels::bf16_gemm(1, 1, 1, 1, {a.data(), 1}, {b.data(), 1}, 0, c.data(), 1);
    CHECK(c[0] == 2);
    kernels::bf16_gemm(1, 1, 2, 1, {a.data(), 2}, {b.data(), 1}, 0, c.data(), 1);
    CHECK(std::isnan(c[0]));
  });
}

TEST_CASE("gemm and packed_gemm round their factors when they are asked to") {
  const Tensor a = random({7, 40}), b = random({50, 40}), c = empty({7, 50}), packed_c = empty({7, 50}),
               exact = empty({7, 50});
  const Operand<float> left{a.data<float>(), 40}, right{b.data<float>(), 40, true};
  kernels::gemm<float>(kernels::Cpu{}, 7, 50, 40, 1, left, right, 0, exact.data<float>(), 50);
  for_units([&] {
    use_device(Device::cpu, MatmulPrecision::bf16);
    kernels::gemm<float>(kernels::Cpu{}, 7, 50, 40, 1, left, right, 0, c.data<float>(), 50);
    const Tensor packed = empty({kernels::packed_size<float>(kernels::Cpu{}, 40, 50)});
    kernels::pack<float>(kernels::Cpu{}, 40, 50, right, packed.data<float>());
    kernels::packed_gemm<float>(kernels::Cpu{}, 7, 50, 40, a.data<float>(), packed.data<float>(), false,
                                packed_c.data<float>());
    use_device(Device::cpu, MatmulPrecision::f32);
    CHECK(c.to_vector<float>() == packed_c.to_vector<float>());
    double difference = 0, size = 0;
    for (std::int64_t i = 0; i < 350; ++i) {
      difference = std::max(difference, std::abs(static_cast<double>(c.data<float>()[i] - exact.data<float>()[i])));
      size = std::max(size, std::abs(static_cast<double>(exact.data<float>()[i])));
    }
    CHECK(difference > 1e-4 * size);
    CHECK(difference < 1e-2 * size);
  });
}

TEST_CASE("by itself training rounds factors where that is quicker, and validation never") {
  const MatmulChoice automatic = MatmulChoice::automatic;
  const auto expected = [] { return kernels::bf16_is_quicker() ? MatmulChoice::bf16 : MatmulChoice::f32; };
  CHECK(resolved(automatic, Device::cpu) == expected());
  CHECK(resolved(automatic, Device::cuda) == MatmulChoice::f32);
  CHECK((kernels::bf16_unit() != Bf16Unit::amx || kernels::bf16_is_quicker()));
  kernels::limit_bf16_unit(Bf16Unit::avx512);
  CHECK(resolved(automatic, Device::cpu) == expected());
  kernels::limit_bf16_unit(Bf16Unit::none);
  CHECK_FALSE(kernels::bf16_is_quicker());
  CHECK(resolved(automatic, Device::cpu) == MatmulChoice::f32);
  kernels::limit_bf16_unit(Bf16Unit::amx);
  for (const MatmulChoice choice : {MatmulChoice::f32, MatmulChoice::tf32, MatmulChoice::bf16}) {
    CHECK(resolved(choice, Device::cpu) == choice);
    CHECK(std::string(name_of(precision_of(choice))) == name_of(choice));
  }
  CHECK_THROWS_AS(precision_of(automatic), Error);
  kernels::set_matmul_precision(MatmulPrecision::bf16);
  {
    const ExactProducts exact(Device::cpu);
    CHECK(kernels::matmul_precision() == MatmulPrecision::f32);
  }
  CHECK(kernels::matmul_precision() == MatmulPrecision::bf16);
  {
    const ExactProducts as_before(Device::cuda);
    CHECK(kernels::matmul_precision() == MatmulPrecision::bf16);
  }
  kernels::set_matmul_precision(MatmulPrecision::f32);
}

TEST_CASE("a processor without a unit says so") {
  kernels::limit_bf16_unit(Bf16Unit::none);
  CHECK_THROWS_WITH(use_device(Device::cpu, MatmulPrecision::bf16), Contains("neither AMX-BF16 nor AVX512-BF16"));
  CHECK_THROWS_WITH(use_device(Device::cpu, MatmulPrecision::tf32), Contains("tf32 needs the device cuda"));
  CHECK_THROWS_AS(kernels::bf16_gemm(1, 1, 1, 1, {nullptr, 1}, {nullptr, 1}, 0, nullptr, 1), Error);
  kernels::limit_bf16_unit(Bf16Unit::amx);
  kernels::limit_vector_bits(256);
  CHECK(kernels::bf16_unit() == Bf16Unit::none);
  kernels::limit_vector_bits(512);
}

TEST_CASE("tiles hold pairs along k, rounded to nearest even, and zeros at the edges") {
  using namespace kernels::bf16_tiles;
  const std::int64_t size = 21, k = 45;
  for (const bool along : {false, true})
    for (const bool pairs_first : {false, true}) {
      const Tensor x = random(along ? Shape{size, k} : Shape{k, size});
      const auto number = [&](std::int64_t s, std::int64_t l) {
        if (s >= size || l >= k) return std::uint32_t{0};
        return std::uint32_t{bf16(x.data<float>()[along ? s * k + l : l * size + s]).bits};
      };
      for (const std::int64_t first : {0, 16}) {
        std::vector<std::uint32_t> tiles(static_cast<std::size_t>(2 * tile));
        pack(x.data<float>(), along ? k : 1, along ? 1 : size, first, size, k, pairs_first, tiles.data());
        for (std::int64_t t = 0; t < 2; ++t)
          for (std::int64_t s = 0; s < side; ++s)
            for (std::int64_t p = 0; p < pairs; ++p) {
              const std::int64_t l = t * depth + 2 * p, at = pairs_first ? p * side + s : s * pairs + p;
              REQUIRE(tiles[t * tile + at] == (number(first + s, l) | number(first + s, l + 1) << 16));
            }
      }
    }
}
