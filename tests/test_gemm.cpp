#include <cmath>
#include <limits>
#include <vector>

#include "catch.h"
#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/gemm.h"

using namespace glimpse;
using kernels::Cpu;
using kernels::Operand;

namespace {

template <class T>
using Gemm = void (*)(Cpu, std::int64_t, std::int64_t, std::int64_t, T, Operand<T>, Operand<T>, T, T*, std::int64_t);

struct Product {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
  double alpha, beta;
  std::int64_t gap;  // elements between rows that belong to nobody
};

template <class T>
std::vector<T> random_matrix(std::int64_t rows, std::int64_t stride, Generator& generator) {
  std::vector<T> x(static_cast<std::size_t>(rows * stride));
  for (T& v : x) v = static_cast<T>(static_cast<float>(generator.normal()));
  return x;
}

/// The largest error relative to eps and the sum of the magnitudes; infinity where a gap was written.
template <class T>
double worst_error(const Product& p, Gemm<T> gemm) {
  Generator generator(3);
  const std::int64_t a_rows = p.transpose_a ? p.k : p.m, a_stride = (p.transpose_a ? p.m : p.k) + p.gap;
  const std::int64_t b_rows = p.transpose_b ? p.n : p.k, b_stride = (p.transpose_b ? p.k : p.n) + p.gap;
  const std::int64_t c_stride = p.n + p.gap;
  const std::vector<T> a = random_matrix<T>(a_rows, a_stride, generator),
                       b = random_matrix<T>(b_rows, b_stride, generator);
  std::vector<T> before = random_matrix<T>(p.m, c_stride, generator);
  if (p.beta == 0)  // then c is not read
    for (T& v : before) v = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> c = before;
  gemm(Cpu{}, p.m, p.n, p.k, static_cast<T>(p.alpha), {a.data(), a_stride, p.transpose_a},
       {b.data(), b_stride, p.transpose_b}, static_cast<T>(p.beta), c.data(), c_stride);

  double worst = 0;
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < c_stride; ++j) {
      const T found = c[i * c_stride + j], old = before[i * c_stride + j];
      if (j >= p.n) {
        if (found != old && !(std::isnan(found) && std::isnan(old))) return HUGE_VAL;
        continue;
      }
      double truth = p.beta == 0 ? 0 : p.beta * static_cast<double>(old), size = std::abs(truth) + 1;
      for (std::int64_t k = 0; k < p.k; ++k) {
        const double term = p.alpha * static_cast<double>(a[p.transpose_a ? k * a_stride + i : i * a_stride + k]) *
                            static_cast<double>(b[p.transpose_b ? j * b_stride + k : k * b_stride + j]);
        truth += term;
        size += std::abs(term);
      }
      const double error = std::abs(static_cast<double>(found) - truth) / (std::numeric_limits<T>::epsilon() * size);
      if (!(error <= worst)) worst = error;
      if (std::isnan(error)) return HUGE_VAL;
    }
  return worst;
}

std::vector<Product> products() {
  std::vector<Product> all;
  const std::int64_t sizes[][3] = {{1, 1, 1},    {1, 33, 7},   {31, 1, 32},  {5, 3, 1},     {6, 32, 256},
                                   {7, 33, 257}, {33, 31, 65}, {385, 17, 9}, {13, 1030, 5}, {97, 65, 300},
                                   {0, 3, 2},    {3, 0, 2},    {3, 2, 0}};
  for (const auto& size : sizes)
    for (int transposes = 0; transposes < 4; ++transposes)
      for (const std::int64_t gap : {0, 3})
        for (const double beta : {0.0, 1.0, 0.5})
          all.push_back({size[0], size[1], size[2], (transposes & 1) != 0, (transposes & 2) != 0, gap == 0 ? 1 : -1.5,
                         beta, gap});
  return all;
}

template <class T>
void check_products(Gemm<T> gemm) {
  for (const Product& p : products()) {
    INFO("m " << p.m << " n " << p.n << " k " << p.k << " transposed " << p.transpose_a << p.transpose_b << " alpha "
              << p.alpha << " beta " << p.beta << " gap " << p.gap);
    CHECK(worst_error<T>(p, gemm) <= 4);
  }
}

}  // namespace

TEST_CASE("gemm in f32") { check_products<float>(kernels::gemm<float>); }
TEST_CASE("gemm in f64") { check_products<double>(kernels::gemm<double>); }
TEST_CASE("this project's own gemm in f32") { check_products<float>(kernels::gemm_blocked<float>); }

TEST_CASE("this project's own gemm gives the same bits for any number of threads") {
  Generator generator(5);
  const std::int64_t m = 130, n = 1100, k = 300;
  const std::vector<float> a = random_matrix<float>(m, k, generator), b = random_matrix<float>(k, n, generator);
  std::vector<std::vector<float>> results;
  const int threads = kernels::threads();
  for (int count : {1, 2, 5}) {
    kernels::set_threads(count);
    std::vector<float> c(static_cast<std::size_t>(m * n));
    kernels::gemm_blocked<float>(Cpu{}, m, n, k, 1, {a.data(), k}, {b.data(), n}, 0, c.data(), n);
    results.push_back(std::move(c));
  }
  kernels::set_threads(threads);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}
