#include "glimpse/kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;

namespace {

struct Case {
  std::int64_t rows, n;
};

// Around the warp, the limits of the kernel with a warp per row (256 and 1024), of the staged one (10240 in f32), and
// sizes that cannot be read in packs.
const std::vector<Case> cases = {{0, 5},    {3, 0},    {1, 1},    {67, 1},    {67, 31},   {67, 32},  {67, 33},
                                 {1, 196},  {67, 196}, {3, 255},  {3, 257},   {5, 512},   {3, 1000}, {2, 1024},
                                 {2, 1025}, {2, 1028}, {1, 9490}, {2, 10240}, {1, 10241}, {1, 12004}};

constexpr double lowest = -std::numeric_limits<double>::infinity();

/// Scores with -inf among them, one row (where there are several) of nothing else.
template <class T>
std::vector<T> scores(const Case& c) {
  std::vector<T> x = draw<T>(c.rows * c.n, static_cast<std::uint64_t>(c.n), 5);
  if (c.n > 1) scatter(x, 7, lowest, 3);
  if (c.rows > 1)
    for (std::int64_t i = 0; i < c.n; ++i) x[i] = T(static_cast<float>(lowest));
  return x;
}

template <class T>
std::vector<T> rounded(const std::vector<double>& x) {
  std::vector<T> y;
  for (const double v : x) y.push_back(T(static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(v)));
  return y;
}

template <class T, class Device>
void forward_on(Device device, bool log, const Case& c, const T* x, T* y) {
  if (log)
    kernels::log_softmax_forward(device, c.rows, c.n, x, y);
  else
    kernels::softmax_forward(device, c.rows, c.n, x, y);
}

template <class T, class Device>
void backward_on(Device device, bool log, const Case& c, const T* y, const T* dy, T* dx) {
  if (log)
    kernels::log_softmax_backward(device, c.rows, c.n, y, dy, dx);
  else
    kernels::softmax_backward(device, c.rows, c.n, y, dy, dx);
}

template <class T>
void check_case(const std::string& name, bool log, const Case& c) {
  const std::vector<T> x = scores<T>(c), dy = draw<T>(c.rows * c.n, 9);
  std::vector<double> y(x.size()), dx(x.size());
  forward_on(Cpu{}, log, c, to_double(x).data(), y.data());
  const std::vector<T> got = repeated<T>(name, [&] {
    DeviceArray<T> in(x), out(c.rows * c.n);
    forward_on(Cuda{}, log, c, in.data(), out.data());
    forward_on(Cuda{}, log, c, in.data(), in.data());
    check_same(name + " in place", in.host(), out.host());
    return out.host();
  });
  const double of_sum = sum_errors<T>(c.n);  // of e^x, as a share of it
  check_close(name + " forward", got, y, log ? 64 + of_sum : 0.001, log ? 8 : 32 + of_sum);

  const std::vector<T> kept = rounded<T>(y);
  backward_on(Cpu{}, log, c, to_double(kept).data(), to_double(dy).data(), dx.data());
  const std::vector<T> gradient = repeated<T>(name, [&] {
    DeviceArray<T> in(kept), up(dy), out(c.rows * c.n);
    backward_on(Cuda{}, log, c, in.data(), up.data(), out.data());
    backward_on(Cuda{}, log, c, in.data(), up.data(), up.data());
    check_same(name + " backward in place", up.host(), out.host());
    return out.host();
  });
  // The sum of y dy, or of dy, is multiplied by a share.
  double largest_share = 0;
  for (const double v : y) largest_share = std::max(largest_share, log ? std::exp(v) : v);
  const double magnitudes = largest_magnitude * (log ? static_cast<double>(c.n) : 1) * largest_share;
  check_close(name + " backward", gradient, dx, 8 + of_sum * magnitudes, log ? 64 : 32);
}

}  // namespace

TEST_CASE("softmax and log-softmax, forward and backward") {
  for (const bool log : {false, true})
    for (const Case& c : cases)
      for_each_type([&](auto type, const char* type_name) {
        check_case<decltype(type)>(std::string(log ? "log_softmax " : "softmax ") + type_name + " (" +
                                       std::to_string(c.rows) + "," + std::to_string(c.n) + ")",
                                   log, c);
      });
}

TEST_CASE("softmax keeps its precision where scores are large") {
  const Case c{4, 200};
  for (const bool log : {false, true}) {
    std::vector<float> x = draw<float>(c.rows * c.n, 5);
    for (float& v : x) v += 10000;
    std::vector<double> y(x.size());
    forward_on(Cpu{}, log, c, to_double(x).data(), y.data());
    DeviceArray<float> in(x), out(c.rows * c.n);
    forward_on(Cuda{}, log, c, in.data(), out.data());
    check_close("large scores", out.host(), y, log ? 64 : 0.001, 32);
  }
}

TEST_CASE("a row with a NaN becomes NaN, and no other row does") {
  for (const std::int64_t n : {33, 2000}) {
    std::vector<float> x = draw<float>(3 * n, 5);
    x[n + n / 2] = std::numeric_limits<float>::quiet_NaN();
    std::vector<double> y(x.size());
    kernels::softmax_forward(Cpu{}, 3, n, to_double(x).data(), y.data());
    DeviceArray<float> in(x), out(3 * n);
    kernels::softmax_forward(Cuda{}, 3, n, in.data(), out.data());
    check_close("NaN", out.host(), y, 0.001, 32);
  }
}

TEST_CASE("softmax of one score far above the others, wherever it stands") {
  // Rows of every kernel; a maximum that misses a place makes e^x infinite.
  for (const std::int64_t n : {255, 1024, 1028, 1030, 12004})
    for_each_type([&](auto type, const char*) {
      using T = decltype(type);
      const std::vector<std::int64_t> places = {0, 1, 31, n / 2, n - 4, n - 3, n - 2, n - 1};
      const auto rows = static_cast<std::int64_t>(places.size());
      std::vector<T> x = draw<T>(rows * n, 5);
      std::vector<double> softmax(x.size()), log_softmax(x.size());
      for (std::int64_t r = 0; r < rows; ++r) x[r * n + places[static_cast<std::size_t>(r)]] = T(1000.0f);
      kernels::softmax_forward(Cpu{}, rows, n, to_double(x).data(), softmax.data());
      kernels::log_softmax_forward(Cpu{}, rows, n, to_double(x).data(), log_softmax.data());
      const DeviceArray<T> in(x), out(rows * n);
      kernels::softmax_forward(Cuda{}, rows, n, in.data(), out.data());
      check_close("softmax of one high score", out.host(), softmax, 0.001, 32);
      kernels::log_softmax_forward(Cuda{}, rows, n, in.data(), out.data());
      check_close("log_softmax of one high score", out.host(), log_softmax, 64, 8);
    });
}
