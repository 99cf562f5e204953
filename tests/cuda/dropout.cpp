#include "glimpse/kernels/dropout.h"

#include "cuda_test.h"
#include "glimpse/kernels/base/philox.h"

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

TEST_CASE("dropout keeps a number that is just as large as p") {
  // p is made such that the element's random number is the first that is kept, then the last that is dropped.
  const std::vector<float> x = draw<float>(11, 1);
  for (const std::size_t element : {std::size_t{2}, std::size_t{9}}) {  // in a whole block of four, and in the last one
    const std::uint32_t number = kernels::philox(1, element / 4).v[element % 4];
    for (const double p : {number * 0x1p-32, (number + 1.0) * 0x1p-32}) {
      std::vector<float> y(x.size());
      kernels::dropout(Cpu{}, 11, p, 1, 0, x.data(), y.data());
      const DeviceArray<float> in(x), out(11);
      kernels::dropout(Cuda{}, 11, p, 1, 0, in.data(), out.data());
      check_same("dropout of an element on the edge", out.host(), y);
      CHECK((y[element] == 0) == (p > number * 0x1p-32));
    }
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
