#include "glimpse/kernels/attention/locations.h"

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

/// Probabilities that are multiples of 1/1024, so that sums have no rounding; every third is 0.
template <class T>
std::vector<T> probabilities(std::int64_t queries, std::int64_t locations) {
  std::vector<T> alpha;
  for (std::int64_t i = 0; i < queries * locations; ++i)
    alpha.push_back(i % 3 == 1 ? T(0) : static_cast<T>((i * 37 + 11) % 61 + 1) / T(1024));
  return alpha;
}

template <class T>
void check_case(std::int64_t queries, std::int64_t locations, std::int64_t channels) {
  const std::string what = "locations (" + std::to_string(queries) + "," + std::to_string(locations) + ")";
  const std::vector<T> alpha = probabilities<T>(queries, locations);
  std::vector<T> uniform = draw<T>(queries, 5);
  for (std::size_t q = 0; q < uniform.size(); ++q)
    uniform[q] = q % 4 == 3 ? T(-1) : q % 5 == 0 ? T(0) : q % 7 == 2 ? T(1) : std::abs(uniform[q]) / T(8);
  std::vector<std::int32_t> expected(uniform.size());
  sample_locations<T>(Cpu{}, queries, locations, alpha.data(), uniform.data(), expected.data());
  const DeviceArray<T> a(alpha), u(uniform);
  const DeviceArray<std::int32_t> found(queries);
  sample_locations<T>(Cuda{}, queries, locations, a.data(), u.data(), found.data());
  CHECK(found.host() == expected);
  for (std::size_t q = 0; q < expected.size(); ++q) {
    INFO(what << " query " << q);
    if (uniform[q] < 0) {
      CHECK(expected[q] == -1);
    } else {
      REQUIRE((expected[q] >= 0 && expected[q] < locations));
      CHECK(alpha[q * static_cast<std::size_t>(locations) + static_cast<std::size_t>(expected[q])] > 0);
    }
  }

  const std::int64_t images = 3;
  const std::vector<T> features = draw<T>(images * locations * channels, 6), context = draw<T>(queries * channels, 7);
  std::vector<std::int32_t> image;
  for (std::int64_t q = 0; q < queries; ++q) image.push_back(static_cast<std::int32_t>((q * 2) % images));
  std::vector<T> read = context, marked = context;
  read_locations<T>(Cpu{}, queries, locations, channels, features.data(), image.data(), expected.data(), read.data());
  mark_locations<T>(Cpu{}, queries, channels, expected.data(), T(3), marked.data());
  const DeviceArray<T> f(features), c(context), m(context);
  const DeviceArray<std::int32_t> i(image);
  read_locations<T>(Cuda{}, queries, locations, channels, f.data(), i.data(), found.data(), c.data());
  mark_locations<T>(Cuda{}, queries, channels, found.data(), T(3), m.data());
  check_same(what + " read", c.host(), read);
  check_same(what + " marked", m.host(), marked);
}

}  // namespace

TEST_CASE("locations are drawn, read and marked as on the CPU") {
  for (const std::int64_t queries : {0, 1, 5, 67})
    for (const std::int64_t locations : {2, 31, 32, 33, 196})
      for (const std::int64_t channels : {1, 33, 64}) {
        check_case<float>(queries, locations, channels);
        check_case<double>(queries, locations, channels);
      }
}
