#include "glimpse/kernels/convert.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// Values of every kind that From has: whole numbers only, where they go to an integer.
template <class From>
std::vector<From> values(std::int64_t n, bool extreme) {
  std::vector<float> x = draw<float>(n, 3, 1000);
  if (extreme) {
    const float special[] = {0,
                             -0.0f,
                             std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(),
                             1e-40f,
                             65519.0f,
                             65520.0f,
                             1e-7f};
    for (std::size_t i = 0; i < x.size() && i < std::size(special); ++i) x[i] = special[i];
  }
  std::vector<From> result(x.size());
  convert(Cpu{}, n, x.data(), result.data());
  return result;
}

template <class From, class To>
void check_pair() {
  for (const std::int64_t n : {0, 1, 3, 31, 32, 33, 196, 1000, 5003}) {
    const std::vector<From> x = values<From>(n, !std::is_integral_v<From> && !std::is_integral_v<To>);
    std::vector<To> expected(x.size());
    convert(Cpu{}, n, x.data(), expected.data());
    const DeviceArray<From> in(x);
    const DeviceArray<To> out(n);
    convert(Cuda{}, n, in.data(), out.data());
    CHECK(same_bits(out.host(), expected));
  }
}

template <class From>
void check_from() {
  check_pair<From, float>();
  check_pair<From, double>();
  check_pair<From, std::int32_t>();
  check_pair<From, bf16>();
  check_pair<From, f16>();
  for (const std::int64_t n : {0, 1, 5, 1000}) {
    const std::vector<From> seven = values<From>(1, false);
    const DeviceArray<From> out(n + 1);
    fill(Cuda{}, n, seven[0], out.data());
    fill(Cuda{}, 1, seven[0], out.data() + n);
    CHECK(same_bits(out.host(), std::vector<From>(static_cast<std::size_t>(n + 1), seven[0])));
  }
}

}  // namespace

TEST_CASE("conversion between all element types, and filling") {
  check_from<float>();
  check_from<double>();
  check_from<std::int32_t>();
  check_from<bf16>();
  check_from<f16>();
}

TEST_CASE("bytes are copied") {
  const std::vector<float> x = draw<float>(1001, 1);
  const DeviceArray<float> in(x), out(1001);
  copy_bytes(Cuda{}, 4004, in.data(), out.data());
  check_same("copy_bytes", out.host(), x);
}
