#include "glimpse/kernels/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;
using kernels::BatchNormShape;

namespace {

constexpr double eps_of_norm = 1e-5;

// n, c, area: planes shorter and longer than a block of threads, that can and cannot be read in packs, channels that
// end with a block of warps and that do not, and channels of one, two, more chunks, and more chunks than a warp has
// lanes.
const std::vector<BatchNormShape> cases = {{2, 1, 1},    {1, 3, 2},    {67, 1, 1},   {4, 9, 49},
                                           {3, 8, 64},   {2, 2, 256},  {2, 3, 300},  {1, 2, 4096},
                                           {9, 2, 1000}, {170, 1, 97}, {33, 1, 8000}};

std::string name_of(const char* op, const char* type, const BatchNormShape& s) {
  return std::string(op) + " " + type + " (" + std::to_string(s.n) + "," + std::to_string(s.c) + "," +
         std::to_string(s.area) + ")";
}

std::int64_t elements(const BatchNormShape& s) { return s.n * s.c * s.area; }

/// Additions that an element of a channel passes through at most: those of its plane, and those of the planes. On the
/// device there are fewer: its threads, warps and blocks add in a tree.
std::int64_t longest_chain(const BatchNormShape& s) { return s.area + s.n; }

template <class F>
void for_each_case(const char* op, F f) {
  for (const BatchNormShape& s : cases) {
    f.template operator()<float>(name_of(op, "f32", s), s);
    f.template operator()<double>(name_of(op, "f64", s), s);
  }
}

/// A channel's parameters and statistics.
template <class T>
struct Channels {
  std::vector<T> weight, bias, mean, variance;
  explicit Channels(const BatchNormShape& s)
      : weight(draw<T>(s.c, 1)), bias(draw<T>(s.c, 2)), mean(draw<T>(s.c, 3)), variance(draw<T>(s.c, 4)) {
    for (T& v : variance) v = v * v;
  }
};

template <class T>
std::vector<T> joined(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

template <class T>
void check_statistics(const std::string& name, const BatchNormShape& s, double offset) {
  std::vector<T> x = draw<T>(elements(s), 5, 2);
  for (T& v : x) v += static_cast<T>(offset);
  const auto channels = static_cast<std::size_t>(s.c);
  std::vector<double> mean(channels), variance(channels);
  kernels::batch_norm_statistics(Cpu{}, s, to_double(x).data(), mean.data(), variance.data());
  const std::vector<T> got = repeated<T>(name, [&] {
    DeviceArray<T> in(x), m(s.c), v(s.c);
    kernels::batch_norm_statistics(Cuda{}, s, in.data(), m.data(), v.data());
    return joined(m.host(), v.host());
  });
  // Means, so the magnitudes are those of single elements.
  double largest = 0;
  for (const T v : x) largest = std::max(largest, std::abs(static_cast<double>(v)));
  const double spread = largest - std::abs(offset);
  check_close(name, got, joined(mean, variance),
              2 + offset * 1e-7 + sum_errors<T>(longest_chain(s)) * std::max(largest, spread * spread), 2);
}

template <class T>
void check_apply(const std::string& name, const BatchNormShape& s) {
  const Channels<T> c(s);
  const std::vector<T> x = draw<T>(elements(s), 5);
  std::vector<double> y(x.size());
  kernels::batch_norm_apply<double>(Cpu{}, s,
                                    {eps_of_norm, to_double(x).data(), to_double(c.mean).data(),
                                     to_double(c.variance).data(), to_double(c.weight).data()},
                                    to_double(c.bias).data(), y.data());
  const std::vector<T> got = repeated<T>(name, [&] {
    DeviceArray<T> in(x), mean(c.mean), variance(c.variance), weight(c.weight), bias(c.bias), out(elements(s));
    kernels::batch_norm_apply<T>(Cuda{}, s, {eps_of_norm, in.data(), mean.data(), variance.data(), weight.data()},
                                 bias.data(), out.data());
    return out.host();
  });
  double largest = 1;
  for (const double v : y) largest = std::max(largest, std::abs(v));
  check_close(name, got, y, 4 * largest, 4);
}

/// Gradients of x, weight and bias, one after another. Without x the last two are not asked for where `frozen`.
template <class T>
struct Backward {
  BatchNormShape s;
  bool frozen;
  Channels<T> c{s};
  std::vector<T> x = draw<T>(elements(s), 5), dy = draw<T>(elements(s), 6);

  std::vector<double> truth() const {
    const auto channels = static_cast<std::size_t>(s.c);
    std::vector<double> dx(x.size()), dweight(channels), dbias(channels);
    const auto run = frozen ? pick<Cpu, double>(true) : pick<Cpu, double>(false);
    run(Cpu{}, s,
        {eps_of_norm, to_double(x).data(), to_double(c.mean).data(), to_double(c.variance).data(),
         to_double(c.weight).data()},
        to_double(dy).data(), {dx.data(), dweight.data(), dbias.data()});
    return joined(joined(dx, dweight), dbias);
  }

  std::vector<T> on_device(bool with_dx, bool with_weight) const {
    DeviceArray<T> in(x), mean(c.mean), variance(c.variance), weight(c.weight), up(dy);
    DeviceArray<T> dx(elements(s)), dweight(s.c), dbias(s.c);
    pick<Cuda, T>(frozen)(
        Cuda{}, s, {eps_of_norm, with_weight ? in.data() : nullptr, mean.data(), variance.data(), weight.data()},
        up.data(),
        {with_dx ? dx.data() : nullptr, with_weight ? dweight.data() : nullptr, with_weight ? dbias.data() : nullptr});
    std::vector<T> result = with_dx ? dx.host() : std::vector<T>();
    return with_weight ? joined(joined(result, dweight.host()), dbias.host()) : result;
  }

  template <class Device, class U>
  static auto pick(bool is_frozen) {
    using Run = void (*)(Device, const BatchNormShape&, const kernels::BatchNormInputs<U>&, const U*,
                         const kernels::BatchNormGradients<U>&);
    return is_frozen ? Run(kernels::batch_norm_backward_frozen<U>) : Run(kernels::batch_norm_backward<U>);
  }
};

/// Sums of the magnitudes of what makes a gradient, the largest of all channels.
struct Magnitudes {
  double dx = 0, dweight = 0, dbias = 0;

  template <class T>
  explicit Magnitudes(const Backward<T>& b) {
    const BatchNormShape& s = b.s;
    for (std::int64_t c = 0; c < s.c; ++c) {
      const auto channel = static_cast<std::size_t>(c);
      const double scale = 1 / std::sqrt(static_cast<double>(b.c.variance[channel]) + eps_of_norm);
      double sum = 0, product = 0, largest_dy = 0, largest_xhat = 0;
      for (std::int64_t i = 0; i < s.n * s.area; ++i) {
        const auto at = static_cast<std::size_t>((i / s.area * s.c + c) * s.area + i % s.area);
        const double dy_at = std::abs(static_cast<double>(b.dy[at]));
        const double xhat = scale * std::abs(static_cast<double>(b.x[at]) - static_cast<double>(b.c.mean[channel]));
        sum += dy_at;
        product += dy_at * xhat;
        largest_dy = std::max(largest_dy, dy_at);
        largest_xhat = std::max(largest_xhat, xhat);
      }
      const double count = static_cast<double>(std::max<std::int64_t>(1, s.n * s.area));
      const double factor = scale * std::abs(static_cast<double>(b.c.weight[channel]));
      dx = std::max(dx, factor * (largest_dy + sum / count + largest_xhat * product / count));
      dweight = std::max(dweight, product);
      dbias = std::max(dbias, sum);
    }
  }
};

template <class T>
void check_backward(const std::string& name, const BatchNormShape& s, bool frozen) {
  const Backward<T> backward{s, frozen};
  const std::vector<double> truth = backward.truth();
  const std::vector<T> got = repeated<T>(name, [&] { return backward.on_device(true, true); });
  const auto dx_end = got.begin() + elements(s);
  const Magnitudes size(backward);
  const double of_sums = sum_errors<T>(longest_chain(s));
  const auto check_part = [&](const char* part, std::int64_t begin, std::int64_t n, double absolute) {
    check_close(name + part, std::vector<T>(got.begin() + begin, got.begin() + begin + n),
                std::vector<double>(truth.begin() + begin, truth.begin() + begin + n), absolute, 2);
  };
  check_part(" dx", 0, elements(s), (6 + of_sums) * size.dx);  // a part of it is rounded five times at most
  check_part(" dweight", elements(s), s.c, of_sums * size.dweight);
  check_part(" dbias", elements(s) + s.c, s.c, of_sums * size.dbias);
  check_same(name + " without dx", backward.on_device(false, true), std::vector<T>(dx_end, got.end()));
  if (frozen) check_same(name + " dx alone", backward.on_device(true, false), std::vector<T>(got.begin(), dx_end));
}

}  // namespace

TEST_CASE("batch norm: mean and variance of a channel") {
  for_each_case("batch_norm_statistics",
                []<class T>(const std::string& name, const BatchNormShape& s) { check_statistics<T>(name, s, 0); });
}

TEST_CASE("batch norm: the variance survives a large mean") {
  for (const BatchNormShape& s : {BatchNormShape{3, 2, 300}, BatchNormShape{9, 1, 1000}})
    check_statistics<float>(name_of("batch_norm_statistics about 10000,", "f32", s), s, 10000);
}

TEST_CASE("batch norm: applied") {
  for_each_case("batch_norm_apply",
                []<class T>(const std::string& name, const BatchNormShape& s) { check_apply<T>(name, s); });
}

TEST_CASE("batch norm: gradients, with statistics of the batch and with given ones") {
  for_each_case("batch_norm_backward", []<class T>(const std::string& name, const BatchNormShape& s) {
    check_backward<T>(name, s, false);
    check_backward<T>(name + " frozen", s, true);
  });
}

TEST_CASE("batch norm: running statistics") {
  for_each_case("batch_norm_track", []<class T>(const std::string& name, const BatchNormShape& s) {
    if (s.n * s.area < 2) return;
    const Channels<T> c(s);
    std::vector<double> mean = to_double(c.weight), variance = to_double(c.bias);
    kernels::batch_norm_track(Cpu{}, s, 0.1, to_double(c.mean).data(), to_double(c.variance).data(), mean.data(),
                              variance.data());
    DeviceArray<T> running_mean(c.weight), running_variance(c.bias), m(c.mean), v(c.variance);
    kernels::batch_norm_track(Cuda{}, s, 0.1, m.data(), v.data(), running_mean.data(), running_variance.data());
    check_close(name, joined(running_mean.host(), running_variance.host()), joined(mean, variance), 4, 2);
  });
}

TEST_CASE("batch norm on memory that packs do not fit has the same bits") {
  const BatchNormShape s{3, 2, 64};
  const Channels<float> c(s);
  std::vector<float> x = draw<float>(elements(s), 5), shifted = x;
  shifted.insert(shifted.begin(), 0.0f);
  DeviceArray<float> mean(c.mean), variance(c.variance), weight(c.weight), bias(c.bias);
  DeviceArray<float> in(x), odd_in(shifted), out(elements(s)), odd_out(elements(s) + 1), up(x), odd_up(shifted);
  DeviceArray<float> dweight(s.c), dbias(s.c);
  const auto check_run = [&](const float* from, const float* dy, float* to, const std::vector<float>& expected,
                             bool forward) {
    if (forward)
      kernels::batch_norm_apply<float>(Cuda{}, s, {eps_of_norm, from, mean.data(), variance.data(), weight.data()},
                                       bias.data(), to);
    else
      kernels::batch_norm_backward<float>(Cuda{}, s, {eps_of_norm, from, mean.data(), variance.data(), weight.data()},
                                          dy, {to, dweight.data(), dbias.data()});
    std::vector<float> got = to == out.data() ? out.host() : odd_out.host();
    if (to != out.data()) got.erase(got.begin());
    if (!expected.empty()) check_same("batch norm on odd addresses", got, expected);
    return got;
  };
  for (const bool forward : {true, false}) {
    const std::vector<float> expected = check_run(in.data(), up.data(), out.data(), {}, forward);
    check_run(odd_in.data() + 1, up.data(), out.data(), expected, forward);
    check_run(in.data(), odd_up.data() + 1, out.data(), expected, forward);
    check_run(in.data(), up.data(), odd_out.data() + 1, expected, forward);
  }
}

TEST_CASE("batch norm of no images: no sums, no elements") {
  const BatchNormShape s{0, 3, 5};
  const Backward<float> backward{s, false};
  const std::vector<float> got = repeated<float>("no images", [&] { return backward.on_device(true, true); });
  check_same("no images", got, std::vector<float>(6, 0.0f));
  check_apply<float>("no images", s);
}
