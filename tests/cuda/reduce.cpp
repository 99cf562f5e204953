#include "glimpse/kernels/reduce.h"

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;

TEST_CASE("sums over one dimension") {
  struct Case {
    std::int64_t outer, n, inner;
  };
  // Around a warp, the 256 rows and 16384 elements of a part, 1024 elements of a warp, and three stages.
  const std::vector<Case> cases = {{0, 5, 3},     {3, 0, 2},     {1, 0, 1},     {1, 1, 1},     {67, 31, 1},
                                   {67, 32, 33},  {1, 33, 1},    {67, 196, 1},  {1, 1000, 32}, {2, 1024, 1},
                                   {2, 1025, 1},  {3, 255, 31},  {3, 256, 32},  {3, 257, 65},  {1, 700, 7},
                                   {2, 16384, 1}, {2, 16385, 1}, {1, 50001, 1}, {2, 40004, 1}, {1, 66000, 2}};
  for (const Case& c : cases)
    for_each_type([&](auto type, const char* type_name) {
      using T = decltype(type);
      const std::string what = std::string("reduce_sum ") + type_name + " (" + std::to_string(c.outer) + "," +
                               std::to_string(c.n) + "," + std::to_string(c.inner) + ")";
      const std::vector<T> x = draw<T>(c.outer * c.n * c.inner, 1);
      std::vector<double> y(static_cast<std::size_t>(c.outer * c.inner));
      kernels::reduce_sum(Cpu{}, c.outer, c.n, c.inner, 0.5, to_double(x).data(), y.data());
      const std::vector<T> got = repeated<T>(what, [&] {
        const DeviceArray<T> in(x), out(c.outer * c.inner);
        kernels::reduce_sum(Cuda{}, c.outer, c.n, c.inner, 0.5, in.data(), out.data());
        return out.host();
      });
      const double magnitudes = 0.5 * largest_magnitude * static_cast<double>(c.n);
      check_close(what, got, y, 1e-3 + sum_errors<T>(c.n) * magnitudes, 2);  // summed in double, rounded once
    });
}

TEST_CASE("a sum is not led astray by large terms that cancel") {
  std::vector<float> x(20000, 0.25f);
  for (std::size_t i = 0; i < x.size(); i += 2) x[i] = i % 4 == 0 ? 1e8f : -1e8f;
  const DeviceArray<float> in(x), out(1);
  kernels::reduce_sum(Cuda{}, 1, 20000, 1, 1.0, in.data(), out.data());
  CHECK(out.host()[0] == 2500.0f);
}
