#include "glimpse/kernels/pooling.h"

#include <limits>

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;
using kernels::AdaptivePoolShape;
using kernels::PoolShape;

namespace {

// planes, h, w, kernel, stride, padding, ceil_mode: windows that overlap, touch, and leave pixels out; padding that is
// reached on every side; last windows that ceil_mode adds, and one that it must not; none, one and many planes.
const std::vector<PoolShape> cases = {{0, 4, 4, 2, 2, 0},       {1, 1, 1, 1, 1, 0},       {3, 5, 7, 3, 2, 1},
                                      {2, 6, 6, 2, 2, 0},       {2, 7, 5, 2, 3, 1},       {3, 8, 9, 3, 1, 1},
                                      {2, 7, 7, 3, 2, 0, true}, {2, 8, 6, 3, 2, 1, true}, {3, 5, 6, 2, 2, 1, true},
                                      {1, 4, 5, 4, 1, 2},       {67, 3, 4, 2, 1, 0},      {2, 10, 33, 3, 2, 1, true},
                                      {1, 5, 5, 2, 3, 0, true}};

std::string name_of(const char* op, const char* type, const PoolShape& s) {
  return std::string(op) + " " + type + " (" + std::to_string(s.planes) + "," + std::to_string(s.h) + "," +
         std::to_string(s.w) + ") windows of " + std::to_string(s.kernel) + " by " + std::to_string(s.stride) +
         " padding " + std::to_string(s.padding) + (s.ceil_mode ? " ceil" : "");
}

std::int64_t results(const PoolShape& s) { return s.planes * s.out_h() * s.out_w(); }

/// Values that often tie, and NaN among them where asked for.
template <class T>
std::vector<T> with_ties(std::int64_t n, bool nan) {
  std::vector<T> x = draw<T>(n, static_cast<std::uint64_t>(n));
  scatter(x, 3, 0.5, 1);
  scatter(x, 4, 2.5, 2);
  if (nan) scatter(x, 9, std::numeric_limits<double>::quiet_NaN(), 3);
  return x;
}

template <class T>
void check_max_pool(const std::string& name, const PoolShape& s, bool nan) {
  const std::vector<T> x = with_ties<T>(s.planes * s.h * s.w, nan), dy = draw<T>(results(s), 7);
  std::vector<double> y(dy.size()), dx(x.size());
  std::vector<std::int32_t> argmax(y.size());
  kernels::max_pool_forward(Cpu{}, s, to_double(x).data(), y.data(), argmax.data());
  kernels::max_pool_backward(Cpu{}, s, to_double(dy).data(), argmax.data(), dx.data());
  const std::vector<T> got = repeated<T>(name, [&] {
    DeviceArray<T> in(x), out(results(s)), alone(results(s));
    DeviceArray<std::int32_t> at(results(s));
    kernels::max_pool_forward(Cuda{}, s, in.data(), out.data(), at.data());
    kernels::max_pool_forward<T>(Cuda{}, s, in.data(), alone.data(), nullptr);
    check_same(name + " argmax", at.host(), argmax);
    check_same(name + " without argmax", alone.host(), out.host());
    return out.host();
  });
  check_close(name, got, y, 0, 0);
  const std::vector<T> gradient = repeated<T>(name, [&] {
    DeviceArray<T> up(dy), out(s.planes * s.h * s.w);
    DeviceArray<std::int32_t> at(argmax);
    kernels::max_pool_backward(Cuda{}, s, up.data(), at.data(), out.data());
    return out.host();
  });
  check_close(name + " backward", gradient, dx, 16, 1);
}

template <class T, class Shape, class Device>
void average(Device device, const Shape& s, const T* x, T* y) {
  if constexpr (std::is_same_v<Shape, PoolShape>)
    kernels::avg_pool_forward(device, s, x, y);
  else
    kernels::adaptive_avg_pool_forward(device, s, x, y);
}

template <class T, class Shape, class Device>
void average_backward(Device device, const Shape& s, const T* dy, T* dx) {
  if constexpr (std::is_same_v<Shape, PoolShape>)
    kernels::avg_pool_backward(device, s, dy, dx);
  else
    kernels::adaptive_avg_pool_backward(device, s, dy, dx);
}

template <class T, class Shape>
void check_average(const std::string& name, const Shape& s, std::int64_t pixels, std::int64_t averages) {
  const std::vector<T> x = draw<T>(pixels, 3), dy = draw<T>(averages, 4);
  std::vector<double> y(dy.size()), dx(x.size());
  average(Cpu{}, s, to_double(x).data(), y.data());
  average_backward(Cpu{}, s, to_double(dy).data(), dx.data());
  check_close(name,
              repeated<T>(name,
                          [&] {
                            DeviceArray<T> in(x), out(averages);
                            average(Cuda{}, s, in.data(), out.data());
                            return out.host();
                          }),
              y, 16, 2);
  check_close(name + " backward",
              repeated<T>(name,
                          [&] {
                            DeviceArray<T> up(dy), out(pixels);
                            average_backward(Cuda{}, s, up.data(), out.data());
                            return out.host();
                          }),
              dx, 16, 2);
}

template <class F>
void for_both_types(F f) {
  f(float{}, "f32");
  f(double{}, "f64");
}

}  // namespace

TEST_CASE("max pool, forward and backward: ties go to the first, NaN wins") {
  for (const PoolShape& s : cases)
    for_both_types([&](auto type, const char* type_name) {
      check_max_pool<decltype(type)>(name_of("max_pool", type_name, s), s, false);
      check_max_pool<decltype(type)>(name_of("max_pool of NaN", type_name, s), s, true);
    });
}

TEST_CASE("average pool, forward and backward") {
  for (const PoolShape& s : cases)
    for_both_types([&](auto type, const char* type_name) {
      check_average<decltype(type)>(name_of("avg_pool", type_name, s), s, s.planes * s.h * s.w, results(s));
    });
}

TEST_CASE("adaptive average pool, forward and backward") {
  // Windows that divide the image, that overlap, that repeat pixels, and that are long enough for a warp each.
  const std::vector<AdaptivePoolShape> shapes = {{0, 4, 4, 2, 2},   {1, 1, 1, 1, 1},  {3, 7, 7, 1, 1}, {2, 8, 6, 4, 3},
                                                 {2, 7, 5, 3, 2},   {2, 3, 4, 5, 7},  {5, 1, 9, 1, 4}, {67, 6, 6, 1, 1},
                                                 {2, 13, 11, 2, 1}, {3, 14, 14, 7, 7}};
  for (const AdaptivePoolShape& s : shapes)
    for_both_types([&](auto type, const char* type_name) {
      const std::string name = std::string("adaptive_avg_pool ") + type_name + " (" + std::to_string(s.planes) + "," +
                               std::to_string(s.h) + "," + std::to_string(s.w) + ") to " + std::to_string(s.out_h) +
                               "x" + std::to_string(s.out_w);
      check_average<decltype(type)>(name, s, s.planes * s.h * s.w, s.planes * s.out_h * s.out_w);
    });
}
