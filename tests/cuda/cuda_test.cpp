#include "cuda_test.h"

#include <cmath>
#include <cstring>
#include <random>
#include <sstream>

#include "glimpse/kernels/base/precision.h"

#ifdef GLIMPSE_TEST_EMULATED
#include "glimpse/tests/emulator/emulator.h"
#include "glimpse/tests/emulator/runtime.h"
#endif

namespace glimpse::test {
namespace {

template <class T>
T from_double(double x) {
  if constexpr (std::is_arithmetic_v<T>)
    return static_cast<T>(x);
  else
    return T(static_cast<float>(x));
}

template <class T>
double one_to_double(T x) {
  if constexpr (std::is_arithmetic_v<T>)
    return static_cast<double>(x);
  else
    return static_cast<double>(static_cast<float>(x));
}

/// Says the order of threads in the emulator, and that nothing was written out of bounds.
void begin_repetition([[maybe_unused]] int repetition) {
#ifdef GLIMPSE_TEST_EMULATED
  emulator::options().seed = static_cast<std::uint64_t>(repetition + 1);
#endif
}

void end_repetition([[maybe_unused]] const std::string& what) {
#ifdef GLIMPSE_TEST_EMULATED
  static int known = 0;
  if (emulator::overwritten_allocations() != known) {
    known = emulator::overwritten_allocations();
    FAIL_CHECK(what << ": a buffer was written just outside of its bounds");
  }
#endif
}

}  // namespace

template <class T>
std::vector<T> draw(std::int64_t n, std::uint64_t seed, double std) {
  std::mt19937_64 random(seed);
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& value : values) {
    double sum = 0;  // of four uniform numbers: near enough to normal
    for (int i = 0; i < 4; ++i) sum += static_cast<double>(random() >> 11) * 0x1p-53 - 0.5;
    value = from_double<T>(sum * std * std::sqrt(3.0));
  }
  return values;
}

std::vector<std::int32_t> draw_words(std::int64_t n, std::int32_t limit, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int32_t> values(static_cast<std::size_t>(n));
  for (std::int32_t& value : values) value = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(limit));
  return values;
}

template <class T>
void scatter(std::vector<T>& values, int every, double value, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (T& v : values)
    if (random() % static_cast<std::uint64_t>(every) == 0) v = from_double<T>(value);
}

template <class T>
std::vector<double> to_double(const std::vector<T>& values) {
  std::vector<double> result;
  result.reserve(values.size());
  for (const T& value : values) result.push_back(one_to_double(value));
  return result;
}

template <class T>
double eps() {
  if constexpr (std::is_same_v<T, double>) return 0x1p-50;  // the truth has errors of its own
  if constexpr (std::is_same_v<T, float>)
    return kernels::matmul_precision() == kernels::MatmulPrecision::f32 ? 0x1p-24 : 0x1p-11;
  if constexpr (std::is_same_v<T, bf16>) return 0x1p-8;
  return 0x1p-11;
}

template <class T>
void check_close(const std::string& what, const std::vector<T>& got, const std::vector<double>& truth, double absolute,
                 double relative, double unit) {
  REQUIRE(got.size() == truth.size());
  std::size_t wrong = 0, first = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double g = one_to_double(got[i]), t = truth[i];
    const bool same = g == t || (std::isnan(g) && std::isnan(t));
    if (same || std::abs(g - t) <= unit * (absolute + relative * std::abs(t))) continue;
    if (wrong++ == 0) first = i;
  }
  if (wrong == 0) {
    SUCCEED();
    return;
  }
  FAIL_CHECK(what << ": " << wrong << " of " << got.size() << " elements are wrong; the first is number " << first
                  << ": " << one_to_double(got[first]) << ", expected " << truth[first]);
}

template <class T>
void check_same(const std::string& what, const std::vector<T>& got, const std::vector<T>& expected) {
  REQUIRE(got.size() == expected.size());
  INFO(what << ": two results differ that must have the same bits");
  CHECK((got.empty() || std::memcmp(got.data(), expected.data(), got.size() * sizeof(T)) == 0));
}

template <class T>
std::vector<T> repeated(const std::string& what, const std::function<std::vector<T>()>& body) {
  std::vector<T> result;
  for (int repetition = 0; repetition < 2; ++repetition) {
    begin_repetition(repetition);
    std::vector<T> again = body();
    end_repetition(what);
    if (repetition == 0)
      result = std::move(again);
    else
      check_same(what, again, result);
  }
  return result;
}

#define GLIMPSE_CUDA_TEST(T)                                                                                       \
  template std::vector<T> draw(std::int64_t, std::uint64_t, double);                                               \
  template void scatter(std::vector<T>&, int, double, std::uint64_t);                                              \
  template std::vector<double> to_double(const std::vector<T>&);                                                   \
  template double eps<T>();                                                                                        \
  template void check_close(const std::string&, const std::vector<T>&, const std::vector<double>&, double, double, \
                            double);                                                                               \
  template void check_same(const std::string&, const std::vector<T>&, const std::vector<T>&);                      \
  template std::vector<T> repeated(const std::string&, const std::function<std::vector<T>()>&);
GLIMPSE_CUDA_TEST(float)
GLIMPSE_CUDA_TEST(double)
GLIMPSE_CUDA_TEST(bf16)
GLIMPSE_CUDA_TEST(f16)
#undef GLIMPSE_CUDA_TEST
template std::vector<double> to_double(const std::vector<std::int32_t>&);
template void check_same(const std::string&, const std::vector<std::int32_t>&, const std::vector<std::int32_t>&);
template std::vector<std::int32_t> repeated(const std::string&, const std::function<std::vector<std::int32_t>()>&);

}  // namespace glimpse::test
