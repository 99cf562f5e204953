#include "glimpse/kernels/gemm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "cuda_test.h"
#include "glimpse/kernels/base/precision.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;
using kernels::MatmulPrecision;

namespace {

struct Product {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
  double alpha, beta;
  std::int64_t gap;  // elements between rows that belong to nobody
};

std::vector<Product> products() {
  std::vector<Product> all;
  const std::int64_t sizes[][3] = {{1, 1, 1},    {1, 33, 7},    {31, 1, 32}, {32, 5, 33}, {33, 31, 65},
                                   {67, 196, 9}, {3, 17, 1000}, {0, 3, 2},   {3, 0, 2},   {3, 2, 0}};
  for (const auto& size : sizes)
    for (const int transposes : {0, 1, 2, 3})
      for (const double beta : {0.0, 0.5})
        all.push_back({size[0], size[1], size[2], (transposes & 1) != 0, (transposes & 2) != 0, beta == 0 ? 1.0 : -1.5,
                       beta, (transposes + size[1]) % 3});
  return all;
}

/// On the device, once more on the host in f64, and how far apart the two may be: `unit` for each product.
template <class T>
double worst_share_of_bound(const Product& p, double unit) {
  const std::int64_t a_rows = p.transpose_a ? p.k : p.m, a_stride = (p.transpose_a ? p.m : p.k) + p.gap;
  const std::int64_t b_rows = p.transpose_b ? p.n : p.k, b_stride = (p.transpose_b ? p.k : p.n) + p.gap;
  const std::int64_t c_stride = p.n + p.gap;
  const std::vector<T> a = draw<T>(a_rows * a_stride, 1), b = draw<T>(b_rows * b_stride, 2);
  std::vector<T> before = draw<T>(p.m * c_stride, 3);
  if (p.beta == 0)  // then c is not read
    for (T& x : before) x = T(std::numeric_limits<float>::quiet_NaN());
  const std::vector<double> wide_a = to_double(a), wide_b = to_double(b), wide_before = to_double(before);
  const DeviceArray<T> device_a(a), device_b(b), device_c(before);
  gemm(Cuda{}, p.m, p.n, p.k, static_cast<Accumulator<T>>(p.alpha),
       Operand<T>{device_a.data(), a_stride, p.transpose_a}, Operand<T>{device_b.data(), b_stride, p.transpose_b},
       static_cast<Accumulator<T>>(p.beta), device_c.data(), c_stride);
  const std::vector<double> c = to_double(device_c.host());
  double worst = 0;
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < c_stride; ++j) {
      const auto at = static_cast<std::size_t>(i * c_stride + j);
      if (j >= p.n) {
        REQUIRE((c[at] == wide_before[at] || p.beta == 0));  // the gap
        continue;
      }
      double truth = p.beta == 0 ? 0 : p.beta * wide_before[at], products = std::abs(truth);
      for (std::int64_t k = 0; k < p.k; ++k) {
        const double term = p.alpha * wide_a[p.transpose_a ? k * a_stride + i : i * a_stride + k] *
                            wide_b[p.transpose_b ? j * b_stride + k : k * b_stride + j];
        truth += term;
        products += std::abs(term);
      }
      const double bound = unit * products + eps<T>() * std::abs(truth);
      const double off = std::abs(c[at] - truth);
      REQUIRE((off <= bound || off == 0));
      if (off > 0) worst = std::max(worst, off / bound);
    }
  return worst;
}

/// What a sum of products is off by, per product, where they are exact: sums are in f32, or f64.
template <class T>
double unit_of_sums() {
  return 4 * (std::is_same_v<T, double> ? eps<double>() : eps<float>());
}

}  // namespace

TEST_CASE("matrix products of every shape, transposed and with gaps") {
  for_each_type([](auto type, const char* name) {
    using T = decltype(type);
    for (const Product& p : products()) {
      INFO(name << " m " << p.m << " n " << p.n << " k " << p.k << " transposed " << p.transpose_a << p.transpose_b
                << " alpha " << p.alpha << " beta " << p.beta << " gap " << p.gap);
      worst_share_of_bound<T>(p, unit_of_sums<T>());
    }
  });
}

TEST_CASE("products of f32 numbers are as exact as was asked for") {
  struct Setting {
    MatmulPrecision precision;
    double unit;  // of one product: two factors rounded
  };
  for (const Setting& s : {Setting{MatmulPrecision::tf32, 0x1p-10}, Setting{MatmulPrecision::bf16, 0x1p-7}}) {
    kernels::set_matmul_precision(s.precision);
    double worst = 0, worst_f64 = 0;
    for (const Product& p : products()) {
      INFO("bits of mantissa " << -std::log2(s.unit) << " m " << p.m << " n " << p.n << " k " << p.k);
      worst = std::max(worst, worst_share_of_bound<float>(p, s.unit));
      worst_f64 = std::max(worst_f64, worst_share_of_bound<double>(p, unit_of_sums<double>()));
    }
    kernels::set_matmul_precision(MatmulPrecision::f32);
#ifdef GLIMPSE_TEST_EMULATED
    CHECK(worst > 0.3);  // the factors were rounded; a GPU may do better
#endif
    CHECK(worst_f64 <= 1);  // f64 is not touched
  }
}
