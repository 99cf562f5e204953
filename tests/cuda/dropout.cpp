#include "glimpse/kernels/dropout.h"

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;

TEST_CASE("dropout draws the mask that the CPU draws") {
  for (const std::int64_t n : {0, 1, 3, 4, 31, 32, 33, 196, 1000, 8191})
    for (const double p : {0.0, 0.5, 0.9, 1.0})
      for (const std::uint64_t position : {std::uint64_t{0}, std::uint64_t{0xfffffffe}}) {
        const std::vector<float> x = draw<float>(n, 1);
        std::vector<float> y(x.size());
        kernels::dropout(Cpu{}, n, p, 42, position, x.data(), y.data());
        const std::vector<float> got = repeated<float>("dropout", [&] {
          const DeviceArray<float> in(x), out(n);
          kernels::dropout(Cuda{}, n, p, 42, position, in.data(), out.data());
          kernels::dropout(Cuda{}, n, p, 42, position, in.data(), in.data());
          check_same("dropout in place", in.host(), out.host());
          return out.host();
        });
        check_same("dropout (" + std::to_string(n) + ")", got, y);
        for_each_type([&](auto type, const char*) {
          using T = decltype(type);
          const std::vector<T> narrow = draw<T>(n, 2);
          std::vector<double> truth(narrow.size());
          kernels::dropout(Cpu{}, n, p, 42, position, to_double(narrow).data(), truth.data());
          const DeviceArray<T> in(narrow), out(n);
          kernels::dropout(Cuda{}, n, p, 42, position, in.data(), out.data());
          check_close("dropout", out.host(), truth, 0, 2);
        });
      }
}

TEST_CASE("dropout of arrays that are not aligned") {
  const std::vector<float> x = draw<float>(101, 1);
  std::vector<float> y(100);
  kernels::dropout(Cpu{}, 100, 0.5, 1, 7, x.data() + 1, y.data());
  const DeviceArray<float> in(x), out(100);
  kernels::dropout(Cuda{}, 100, 0.5, 1, 7, in.data() + 1, out.data());
  check_same("dropout, not aligned", out.host(), y);
}
