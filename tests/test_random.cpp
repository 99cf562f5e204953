#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "catch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/philox.h"

using namespace glimpse;

namespace {

using Counter = std::array<std::uint32_t, 4>;

/// All ten rounds on any counter; philox() itself reaches only counters whose upper half is zero.
Counter ten_rounds(Counter c, std::uint32_t key0, std::uint32_t key1) {
  for (std::uint32_t round = 0; round < kernels::philox_rounds; ++round)
    kernels::philox_round(key0 + round * kernels::philox_key_step0, key1 + round * kernels::philox_key_step1, c[0],
                          c[1], c[2], c[3]);
  return c;
}

struct Moments {
  double mean = 0, variance = 0;
};
Moments moments(const std::vector<double>& x) {
  Moments m;
  for (double v : x) m.mean += v / static_cast<double>(x.size());
  for (double v : x) m.variance += (v - m.mean) * (v - m.mean) / static_cast<double>(x.size());
  return m;
}

}  // namespace

// Random123's known answers (kat_vectors, philox4x32 with 10 rounds).
TEST_CASE("Philox gives the known answers") {
  CHECK(ten_rounds({0, 0, 0, 0}, 0, 0) == Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(ten_rounds({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffff, 0xffffffff) ==
        Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(ten_rounds({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
        Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a block of the stream is Philox of its position") {
  const kernels::Philox4 block = kernels::philox(0x0123456789abcdef, 0xfedcba9876543210);
  CHECK(Counter{block.v[0], block.v[1], block.v[2], block.v[3]} ==
        ten_rounds({0x76543210, 0xfedcba98, 0, 0}, 0x89abcdef, 0x01234567));
}

TEST_CASE("a stream that is not drawn leaves tensors alone and goes on where the drawn one does") {
  Generator drawn(9), generator = drawn.undrawn();
  const Tensor x = full({7, 3}, 5);
  fill_uniform(x, 0, 1, generator);
  fill_normal(x, 0, 1, generator);
  for (std::int64_t i = 0; i < x.numel(); ++i) CHECK(x.data<float>()[i] == 5);
  fill_uniform(x, 0, 1, drawn);
  fill_normal(x, 0, 1, drawn);
  CHECK(x.data<float>()[0] != 5);
  CHECK(generator.state().position == drawn.state().position);
  CHECK(generator.next() == drawn.next());
  CHECK_FALSE(generator.draws());
}

TEST_CASE("the state of a generator is two numbers") {
  Generator a(9);
  a.next();
  a.uniform();
  a.normal();
  a.below(10);
  Generator b(a.state());
  for (int i = 0; i < 10; ++i) CHECK(a.next() == b.next());
  CHECK(a.state().position == b.state().position);
  const Generator::State begin = a.reserve(9);
  CHECK(a.state().position == begin.position + 3);
}

TEST_CASE("numbers below n are spread evenly") {
  Generator generator(4);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[generator.below(7)];
  for (int count : counts) CHECK(std::abs(count - 10000) < 500);  // 5 sigma
  // 2^64 - n is hit with every second draw if n is just above 2^63: drawing again must be tried, not modulo.
  const std::uint64_t n = (std::uint64_t{1} << 63) + 1;
  int upper = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = generator.below(n);
    REQUIRE(value < n);
    upper += value > n / 2;
  }
  CHECK(std::abs(upper - 500) < 80);
  CHECK(generator.below(1) == 0);
  CHECK_THROWS_AS(generator.below(0), Error);
}

TEST_CASE("uniform numbers") {
  Generator generator(5);
  Tensor x = empty({100001}, DType::f64);
  fill_uniform(x, -1, 3, generator);
  const std::vector<double> values = x.to_vector<double>();
  const Moments m = moments(values);
  CHECK(m.mean == Approx(1).margin(0.02));
  CHECK(m.variance == Approx(16.0 / 12).epsilon(0.02));
  CHECK(*std::min_element(values.begin(), values.end()) >= -1);
  CHECK(*std::max_element(values.begin(), values.end()) < 3);
}

TEST_CASE("rounding to f32 never reaches the upper bound") {
  Generator generator(6);
  Tensor x = empty({100000});
  fill_uniform(x, 16777215, 16777216, generator);  // neighbours in f32
  for (float v : x.to_vector<float>()) REQUIRE(v == 16777215.0f);
}

TEST_CASE("normal numbers") {
  Generator generator(7);
  Tensor x = empty({200000}, DType::f64);
  fill_normal(x, 2, 3, generator);
  const std::vector<double> values = x.to_vector<double>();
  const Moments m = moments(values);
  CHECK(m.mean == Approx(2).margin(0.04));
  CHECK(m.variance == Approx(9).epsilon(0.02));
  const auto inside = [&](double sigmas) {
    return std::count_if(values.begin(), values.end(), [&](double v) { return std::abs(v - 2) < 3 * sigmas; }) / 2e5;
  };
  CHECK(inside(1) == Approx(0.6827).margin(0.005));
  CHECK(inside(2) == Approx(0.9545).margin(0.003));
  CHECK(inside(3) == Approx(0.9973).margin(0.001));
  double correlation = 0;  // of the two numbers that share a block
  for (std::size_t i = 0; i < values.size(); i += 2) correlation += (values[i] - 2) * (values[i + 1] - 2) / 9e5;
  CHECK(std::abs(correlation) < 0.015);
}

TEST_CASE("the same numbers in both types, for any number of threads") {
  const int threads = kernels::threads();
  for (const bool normal : {false, true}) {
    std::vector<Tensor> results;
    for (int count : {1, 3}) {
      kernels::set_threads(count);
      for (DType dtype : {DType::f64, DType::f32}) {
        Generator generator(8);
        Tensor x = empty({10001}, dtype);
        normal ? fill_normal(x, 0, 1, generator) : fill_uniform(x, 0, 1, generator);
        results.push_back(x.to(DType::f32));
      }
    }
    for (const Tensor& x : results)
      for (std::int64_t i = 0; i < x.numel(); ++i) {
        const bool rounded_up = x.data<float>()[i] == 1;  // f64 just below 1, converted here
        if (!rounded_up) REQUIRE(x.data<float>()[i] == results[0].data<float>()[i]);
      }
  }
  kernels::set_threads(threads);
}

TEST_CASE("random numbers fill f32 and f64 only") {
  Generator generator;
  Tensor words = empty({3}, DType::i32);
  CHECK_THROWS_AS(fill_uniform(words, 0, 1, generator), Error);
}

TEST_CASE("dropout keeps the expected share and the mean, and repeats from the same state") {
  Generator generator(10);
  const Tensor x = full({100000}, 1);
  const Generator::State before = generator.state();
  const Tensor y = dropout(x, 0.3, generator);
  double kept = 0, sum = 0;
  for (float v : y.to_vector<float>()) {
    kept += v != 0;
    sum += v;
  }
  CHECK(kept / 1e5 == Approx(0.7).margin(0.01));
  CHECK(sum / 1e5 == Approx(1).margin(0.015));
  generator.set_state(before);
  CHECK(dropout(x, 0.3, generator).to_vector<float>() == y.to_vector<float>());
  CHECK(dropout(x, 0.3, generator).to_vector<float>() != y.to_vector<float>());
}
