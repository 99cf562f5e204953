#include "glimpse/kernels/embedding.h"

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

struct Case {
  std::int64_t rows, n, width;
};
// Many positions of few rows, few of many, one row alone; more positions than a block looks at in one go (256 and
// 1024).
const std::vector<Case> cases = {{5, 0, 3},     {5, 3, 0},    {1, 1, 1},    {1, 67, 33},
                                 {9, 67, 31},   {9, 67, 32},  {1, 257, 4},  {500, 67, 196},
                                 {3, 300, 129}, {2, 1030, 4}, {40, 700, 8}, {2000, 30, 512}};

}  // namespace

TEST_CASE("rows picked by index") {
  for (const Case& c : cases)
    for_each_type([&](auto type, const char*) {
      using T = decltype(type);
      const std::string what = "gather_rows (" + std::to_string(c.n) + "," + std::to_string(c.width) + ")";
      const std::vector<T> x = draw<T>(c.rows * c.width, 1);
      const std::vector<std::int32_t> index = draw_words(c.n, static_cast<std::int32_t>(c.rows), 2);
      std::vector<T> expected;
      for (const std::int32_t r : index)
        expected.insert(expected.end(), x.begin() + r * c.width, x.begin() + (r + 1) * c.width);
      const std::vector<T> got = repeated<T>(what, [&] {
        const DeviceArray<T> in(x), out(c.n * c.width);
        const DeviceArray<std::int32_t> at(index);
        gather_rows(Cuda{}, c.n, c.width, in.data(), at.data(), out.data());
        return out.host();
      });
      check_same(what, got, expected);
    });
}

TEST_CASE("long rows picked by index, as f32") {
  const auto check_type = [](auto type) {
    using From = decltype(type);
    for (const Case& c : std::vector<Case>{
             {5, 0, 3}, {5, 3, 0}, {1, 1, 1}, {9, 67, 31}, {9, 67, 32}, {4, 3, 100}, {3, 5, 5000}, {3, 5, 5001}})
      for (const std::int64_t lead : {0, 1}) {  // the second cannot be read in packs
        const std::vector<From> x = draw<From>(c.rows * c.width + lead, 1);
        const std::vector<std::int32_t> index = draw_words(c.n, static_cast<std::int32_t>(c.rows), 2);
        std::vector<float> expected(static_cast<std::size_t>(c.n * c.width)), by_loops;
        gather_as_float(Cpu{}, c.n, c.width, x.data() + lead, index.data(), expected.data());
        for (const std::int32_t r : index)
          for (std::int64_t j = 0; j < c.width; ++j) by_loops.push_back(static_cast<float>(x[lead + r * c.width + j]));
        check_same("on the CPU", expected, by_loops);
        const std::vector<float> got = repeated<float>("gather_as_float", [&] {
          const DeviceArray<From> in(x);
          const DeviceArray<float> out(c.n * c.width);
          const DeviceArray<std::int32_t> at(index);
          gather_as_float(Cuda{}, c.n, c.width, in.data() + lead, at.data(), out.data());
          return out.host();
        });
        check_same("on the device", got, expected);
      }
  };
  check_type(f16{});
  check_type(float{});
}

TEST_CASE("sums of rows by index") {
  for (const Case& c : cases)
    for_each_type([&](auto type, const char*) {
      using T = decltype(type);
      const std::string what = "sum_rows_by_index (" + std::to_string(c.rows) + "," + std::to_string(c.n) + "," +
                               std::to_string(c.width) + ")";
      const std::vector<T> dy = draw<T>(c.n * c.width, 1);
      std::vector<std::int32_t> index = draw_words(c.n, static_cast<std::int32_t>(c.rows), 2);
      for (std::size_t i = 0; i < index.size(); i += 3) index[i] = 0;  // a frequent word
      std::vector<double> dx(static_cast<std::size_t>(c.rows * c.width));
      sum_rows_by_index(Cpu{}, c.rows, c.n, c.width, to_double(dy).data(), index.data(), dx.data());
      const std::vector<T> got = repeated<T>(what, [&] {
        const DeviceArray<T> in(dy), out(c.rows * c.width);
        const DeviceArray<std::int32_t> at(index);
        sum_rows_by_index(Cuda{}, c.rows, c.n, c.width, in.data(), at.data(), out.data());
        return out.host();
      });
      check_close(what, got, dx, 1e-3 + sum_errors<T>(c.n) * largest_magnitude * static_cast<double>(c.n), 2);
    });
}

TEST_CASE("a sum of two rows whose positions are far apart") {
  // The second position must find the first one, wherever that is in the pieces of 256 and 1024 that a block looks at.
  const std::int64_t n = 1040, width = 4;
  std::vector<std::int32_t> index(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < index.size(); ++i) index[i] = static_cast<std::int32_t>(i);
  index[1025] = 1024;
  for (const auto& [later, earlier] : std::vector<std::pair<std::size_t, std::int32_t>>{
           {1030, 0}, {1031, 255}, {1032, 256}, {1033, 767}, {1034, 768}, {1035, 1023}, {1036, 1022}})
    index[later] = earlier;
  const std::vector<float> dy = draw<float>(n * width, 1);
  std::vector<double> dx(dy.size());
  sum_rows_by_index(Cpu{}, n, n, width, to_double(dy).data(), index.data(), dx.data());
  const std::vector<float> got = repeated<float>("sum_rows_by_index", [&] {
    const DeviceArray<float> in(dy), out(n * width);
    const DeviceArray<std::int32_t> at(index);
    sum_rows_by_index(Cuda{}, n, n, width, in.data(), at.data(), out.data());
    return out.host();
  });
  check_close("rows far apart", got, dx, 1e-3, 2);
}

TEST_CASE("indices outside of a table are found, the first of them") {
  for (const std::int64_t n : {1, 33, 5000}) {
    std::vector<std::int32_t> index = draw_words(n, 100, 3);
    const auto find = [&](std::int64_t allowed) {
      const DeviceArray<std::int32_t> at(index);
      return find_outside(Cuda{}, n, at.data(), 100, allowed);
    };
    CHECK(find(-1) == -1);
    index.back() = 100;
    CHECK(find(-1) == n - 1);
    CHECK(find(100) == -1);
    index[n / 2] = -1;
    CHECK(find(-1) == (n == 1 ? -1 : n - 1));
    CHECK(find(100) == n / 2);
    CHECK(find(-2) == n / 2);
  }
  const DeviceArray<std::int32_t> none(0);
  CHECK(find_outside(Cuda{}, 0, none.data(), 100, -1) == -1);
}
