#include "glimpse/kernels/elementwise.h"

#include <numeric>

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

const std::vector<std::int64_t> lengths = {0, 1, 2, 31, 32, 33, 196, 1000, 4096, 13333};

template <class T, class F>
void check_unary(const char* name, F f, bool positive) {
  for (const std::int64_t n : lengths) {
    const std::string what = std::string(name) + " (" + std::to_string(n) + ")";
    std::vector<T> x = draw<T>(n, 1), dy = draw<T>(n, 2);
    if (positive)
      for (T& v : x) v = T(static_cast<float>(v) < 0 ? -static_cast<float>(v) + 0.1f : static_cast<float>(v) + 0.1f);
    std::vector<double> y(x.size()), dx(x.size());
    map(Cpu{}, f, n, to_double(x).data(), y.data());
    map_gradient(Cpu{}, f, n, to_double(x).data(), to_double(dy).data(), dx.data());
    check_close(what,
                repeated<T>(what,
                            [&] {
                              const DeviceArray<T> in(x), out(n);
                              map(Cuda{}, f, n, in.data(), out.data());
                              map(Cuda{}, f, n, in.data(), in.data());
                              check_same(what + " in place", in.host(), out.host());
                              return out.host();
                            }),
                y, 1, 8);
    check_close(what + " gradient",
                repeated<T>(what,
                            [&] {
                              const DeviceArray<T> saved(x), in(dy), out(n);
                              map_gradient(Cuda{}, f, n, saved.data(), in.data(), out.data());
                              return out.host();
                            }),
                dx, 8, 8);
  }
}

/// One operand's sizes as the result sees them: 1 where it repeats itself.
Broadcast line_up(const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& a,
                  const std::vector<std::int64_t>& b) {
  Broadcast shape{};
  shape.rank = static_cast<int>(sizes.size());
  std::int64_t a_stride = 1, b_stride = 1;
  for (std::size_t d = sizes.size(); d-- > 0;) {
    shape.sizes[d] = sizes[d];
    shape.a_strides[d] = a[d] == 1 && sizes[d] != 1 ? 0 : a_stride;
    shape.b_strides[d] = b[d] == 1 && sizes[d] != 1 ? 0 : b_stride;
    a_stride *= a[d];
    b_stride *= b[d];
  }
  return shape;
}

std::int64_t product(const std::vector<std::int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

template <class T, class F>
void check_binary(const char* name, F f, const std::vector<std::int64_t>& a_sizes,
                  const std::vector<std::int64_t>& b_sizes) {
  std::vector<std::int64_t> sizes;
  for (std::size_t d = 0; d < a_sizes.size(); ++d) sizes.push_back(a_sizes[d] == 1 ? b_sizes[d] : a_sizes[d]);
  const Broadcast shape = line_up(sizes, a_sizes, b_sizes);
  const std::vector<T> a = draw<T>(product(a_sizes), 1), b = draw<T>(product(b_sizes), 2);
  std::vector<double> y(static_cast<std::size_t>(product(sizes)));
  zip(Cpu{}, f, shape, to_double(a).data(), to_double(b).data(), y.data());
  std::string what = std::string(name) + " (";
  for (std::size_t d = 0; d < sizes.size(); ++d)
    what += std::to_string(a_sizes[d]) + "/" + std::to_string(b_sizes[d]) + " ";
  check_close(what + ")",
              repeated<T>(what,
                          [&] {
                            const DeviceArray<T> left(a), right(b), out(product(sizes));
                            zip(Cuda{}, f, shape, left.data(), right.data(), out.data());
                            return out.host();
                          }),
              y, 1, 4);
}

}  // namespace

TEST_CASE("element-wise functions and their gradients") {
  for_each_type([](auto type, const char*) {
    using T = decltype(type);
    check_unary<T>("affine", Affine{1.5, -0.25}, false);
    check_unary<T>("relu", Relu{}, false);
    check_unary<T>("relu6", Relu6{}, false);
    check_unary<T>("tanh", Tanh{}, false);
    check_unary<T>("silu", Silu{}, false);
    check_unary<T>("gelu", Gelu{}, false);
    check_unary<T>("sigmoid", Sigmoid{}, false);
    check_unary<T>("exp", Exp{}, false);
    check_unary<T>("log", Log{}, true);
    check_unary<T>("square", Square{}, false);
  });
}

TEST_CASE("arrays that are not aligned") {
  const std::vector<float> x = draw<float>(1000, 1);
  const DeviceArray<float> in(x), out(1000);
  map(Cuda{}, Affine{2, 0}, 998, in.data() + 1, out.data() + 1);
  zip(Cuda{}, Add{}, same_shape(997), in.data() + 2, out.data() + 1, out.data() + 1);
  const std::vector<float> y = out.host();
  for (std::size_t i = 1; i < 998; ++i) REQUIRE(y[i] == 2 * x[i] + x[i + 1]);
}

TEST_CASE("rows that are no whole number of packs apart") {
  const Broadcast shape{2, {5, 8}, {9, 1}, {0, 1}};
  const std::vector<float> x = draw<float>(5 * 9, 1), y = draw<float>(8, 2);
  const DeviceArray<float> a(x), b(y), out(5 * 8);
  zip(Cuda{}, Add{}, shape, a.data(), b.data(), out.data());
  const std::vector<float> z = out.host();
  for (std::size_t i = 0; i < z.size(); ++i) REQUIRE(z[i] == x[i / 8 * 9 + i % 8] + y[i % 8]);
}

TEST_CASE("functions of two arrays, with broadcasting") {
  for_each_type([](auto type, const char*) {
    using T = decltype(type);
    for (const std::int64_t n : lengths) check_binary<T>("add", Add{}, {n}, {n});
    check_binary<T>("subtract", Subtract{}, {67, 33}, {67, 33});
    check_binary<T>("multiply", Multiply{}, {67, 196}, {1, 196});  // a bias
    check_binary<T>("multiply", Multiply{}, {67, 196}, {67, 1});   // a scale per row
    check_binary<T>("add", Add{}, {6, 8}, {1, 8});                 // in packs of every width
    check_binary<T>("divide", Divide{}, {1, 31}, {67, 31});
    check_binary<T>("subtract", Subtract{}, {1, 31}, {67, 1});
    check_binary<T>("add", Add{}, {3, 5, 4, 4}, {1, 5, 1, 1});  // a bias per channel
    check_binary<T>("add", Add{}, {3, 5, 7, 1}, {3, 1, 7, 8});
    check_binary<T>("divide", Divide{}, {2, 1, 3, 1, 2, 8}, {1, 3, 1, 5, 1, 8});
    check_binary<T>("add", Add{}, {1, 1, 1}, {1, 1, 1});
    check_binary<T>("add", Add{}, {0, 7}, {1, 7});
    check_binary<T>("add scaled", AddScaled{0.3}, {1000}, {1});
  });
}

TEST_CASE("NaN goes through every function") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const DeviceArray<float> in(std::vector<float>(5, nan)), out(5);
  map(Cuda{}, Relu{}, 5, in.data(), out.data());
  CHECK(std::isnan(out.host()[4]));
  map(Cuda{}, Relu6{}, 5, in.data(), out.data());
  CHECK(std::isnan(out.host()[0]));
}
