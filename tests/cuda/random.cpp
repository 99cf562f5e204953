#include "glimpse/kernels/random.h"

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;

TEST_CASE("random arrays hold the CPU's numbers") {
  for (const std::int64_t n : {0, 1, 2, 31, 32, 33, 196, 1000}) {
    std::vector<double> uniform(static_cast<std::size_t>(n)), normal(uniform.size());
    kernels::fill_uniform(Cpu{}, n, -2.0, 3.0, 7, 11, uniform.data());
    kernels::fill_normal(Cpu{}, n, 0.5, 2.0, 7, 11, normal.data());
    const DeviceArray<float> u(n), g(n);
    const DeviceArray<double> wide(n);
    kernels::fill_uniform(Cuda{}, n, -2.0, 3.0, 7, 11, u.data());
    kernels::fill_normal(Cuda{}, n, 0.5, 2.0, 7, 11, g.data());
    kernels::fill_normal(Cuda{}, n, 0.5, 2.0, 7, 11, wide.data());
    check_close("uniform", u.host(), uniform, 2, 2);
    check_close("normal f32", g.host(), normal, 2, 2);
    check_close("normal f64", wide.host(), normal, 8, 8);
  }
}

TEST_CASE("uniform numbers stay below their limit when they are rounded") {
  const DeviceArray<float> x(100000);
  kernels::fill_uniform(Cuda{}, 100000, 1.0, 1.0000002, 3, 0, x.data());
  for (const float v : x.host()) REQUIRE((v >= 1.0f && v < 1.0000002f));
}
