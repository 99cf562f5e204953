#pragma once
// What the tests of the CUDA kernels share. tests/cuda/*.cpp are built twice: into test_emulated, where g++ has
// compiled the kernels for the emulator, and into test_gpu, where they run on the device and skip themselves when there
// is none. The truth is the CPU kernel in double on the same numbers.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "catch.h"
#include "glimpse/kernels/base/device.h"
#include "glimpse/kernels/base/half.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse::test {

using kernels::Cpu;
using kernels::Cuda;

/// n elements on the device. In the emulator a write outside of them fails the test.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::int64_t n) : n_(n), data_(static_cast<T*>(cuda::allocate(bytes(), nullptr, "a test"))) {}
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(static_cast<std::int64_t>(values.size())) {
    cuda::copy_to_device(data_, values.data(), bytes(), nullptr);
  }
  ~DeviceArray() { cuda::release(data_, bytes(), nullptr); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> host() const {
    std::vector<T> values(static_cast<std::size_t>(n_));
    cuda::copy_to_host(values.data(), data_, bytes(), nullptr);
    return values;
  }

 private:
  std::size_t bytes() const { return static_cast<std::size_t>(n_) * sizeof(T); }
  std::int64_t n_;
  T* data_;
};

/// Numbers from about N(0, std^2), rounded to T. None is larger than largest_magnitude std.
template <class T>
std::vector<T> draw(std::int64_t n, std::uint64_t seed, double std = 1);
constexpr double largest_magnitude = 3.5;
/// Uniform in [0, limit).
std::vector<std::int32_t> draw_words(std::int64_t n, std::int32_t limit, std::uint64_t seed);
/// Replaces one element in `every` by `value`.
template <class T>
void scatter(std::vector<T>& values, int every, double value, std::uint64_t seed);

template <class T>
std::vector<double> to_double(const std::vector<T>& values);

/// Half the distance from 1 to the next number; eight times that for double, the type of the truth; for float what
/// TF32 makes of it, unless exact products are asked for.
template <class T>
double eps();

/// What sums of n numbers in double, of the CPU's kernel and the device's, differ by at most, in units of eps<T>() and
/// of the sum of magnitudes: whatever order a side adds in, and so for vectors of any width, a number passes through no
/// more than n additions, each of which errs by 2^-53 of a partial sum (Higham, SIAM J. Sci. Comput. 14, 1993).
template <class T>
double sum_errors(std::int64_t n) {
  return 2 * 0x1p-53 * static_cast<double>(n) / eps<T>();
}

/// Fails the test unless |got - truth| <= unit (absolute + relative |truth|) for every element; infinities and NaN must
/// be where the truth has them.
template <class T>
void check_close(const std::string& what, const std::vector<T>& got, const std::vector<double>& truth, double absolute,
                 double relative, double unit = eps<T>());
/// Fails the test unless both have the same bits.
template <class T>
void check_same(const std::string& what, const std::vector<T>& got, const std::vector<T>& expected);

/// Runs `body` several times, in the emulator with threads and blocks in another order each time, and fails the test
/// unless it returns the same bits each time. Returns them.
template <class T>
std::vector<T> repeated(const std::string& what, const std::function<std::vector<T>()>& body);

/// Run for the types that kernels store.
template <class F>
void for_each_type(F f) {
  f(float{}, "f32");
  f(double{}, "f64");
  f(bf16{}, "bf16");
}

}  // namespace glimpse::test
