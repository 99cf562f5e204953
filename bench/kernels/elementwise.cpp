// Element-wise functions, dropout, sums over a dimension.

#include "glimpse/kernels/elementwise.h"

#include "glimpse/kernels/dropout.h"
#include "glimpse/kernels/reduce.h"
#include "suite.h"

namespace glimpse::bench {
namespace {

template <class Device, class T, class F>
Subject map(Device device, T, F f, std::int64_t n, const Rotation& rotation) {
  const Cost cost = {2.0 * static_cast<double>(n) * sizeof(T), 20.0 * static_cast<double>(n)};
  const Lab lab(device, cost, rotation);
  const auto host = draw<T>(n, 1);
  const auto x = lab.input(host), y = lab.template output<T>(n);
  return {cost, lab.sets(), [=](int set) { kernels::map(device, f, n, x[set], y[set]); },
          [=] {
            auto truth = zeros(n);
            kernels::map(Cpu{}, f, n, widened(host).data(), truth.data());
            return y.error(truth);
          }};
}

template <class Device, class T, class F>
Subject map_gradient(Device device, T, F f, std::int64_t n, const Rotation& rotation) {
  const Cost cost = {3.0 * static_cast<double>(n) * sizeof(T), 5.0 * static_cast<double>(n)};
  const Lab lab(device, cost, rotation);
  const auto host = draw<T>(n, 1, 0.5), host_dy = draw<T>(n, 2);
  const auto saved = lab.input(host), dy = lab.input(host_dy), dx = lab.template output<T>(n);
  return {cost, lab.sets(), [=](int set) { kernels::map_gradient(device, f, n, saved[set], dy[set], dx[set]); },
          [=] {
            auto truth = zeros(n);
            kernels::map_gradient(Cpu{}, f, n, widened(host).data(), widened(host_dy).data(), truth.data());
            return dx.error(truth);
          }};
}

/// a (rows,n); b (rows,n), or (n), repeated for each row.
template <class Device, class T, class F>
Subject zip(Device device, T, F f, std::int64_t rows, std::int64_t n, bool repeated, const Rotation& rotation) {
  const std::int64_t all = rows * n, of_b = repeated ? n : all;
  const Cost cost = {static_cast<double>(2 * all + of_b) * sizeof(T), static_cast<double>(all)};
  const kernels::Broadcast shape =
      repeated ? kernels::Broadcast{2, {rows, n}, {n, 1}, {0, 1}} : kernels::same_shape(all);
  const Lab lab(device, cost, rotation);
  const auto host_a = draw<T>(all, 1), host_b = draw<T>(of_b, 2);
  const auto a = lab.input(host_a), b = lab.input(host_b), y = lab.template output<T>(all);
  return {cost, lab.sets(), [=](int set) { kernels::zip(device, f, shape, a[set], b[set], y[set]); },
          [=] {
            auto truth = zeros(all);
            kernels::zip(Cpu{}, f, shape, widened(host_a).data(), widened(host_b).data(), truth.data());
            return y.error(truth);
          }};
}

template <class Device, class T>
Subject dropout(Device device, T, std::int64_t n, const Rotation& rotation) {
  const Cost cost = {2.0 * static_cast<double>(n) * sizeof(T), 25.0 * static_cast<double>(n)};
  const Lab lab(device, cost, rotation);
  const auto host = draw<T>(n, 1);
  const auto x = lab.input(host), y = lab.template output<T>(n);
  constexpr std::uint64_t seed = 7, position = 1000;
  return {cost, lab.sets(), [=](int set) { kernels::dropout(device, n, 0.5, seed, position, x[set], y[set]); },
          [=] {
            auto truth = zeros(n);
            kernels::dropout(Cpu{}, n, 0.5, seed, position, widened(host).data(), truth.data());
            return y.error(truth);
          }};
}

struct Reduction {
  std::int64_t outer, n, inner;
};

template <class Device, class T>
Subject reduce(Device device, T, const Reduction& r, const Rotation& rotation) {
  const std::int64_t all = r.outer * r.n * r.inner, results = r.outer * r.inner;
  const Cost cost = {static_cast<double>(all + results) * sizeof(T), static_cast<double>(all)};
  const Lab lab(device, cost, rotation);
  const auto host = draw<T>(all, 1);
  const auto x = lab.input(host), y = lab.template output<T>(results);
  const double scale = 1 / static_cast<double>(r.n);
  return {cost, lab.sets(), [=](int set) { kernels::reduce_sum(device, r.outer, r.n, r.inner, scale, x[set], y[set]); },
          [=] {
            auto truth = zeros(results);
            kernels::reduce_sum(Cpu{}, r.outer, r.n, r.inner, scale, widened(host).data(), truth.data());
            return y.error(truth);
          }};
}

void add_rows(Suite& suite) {
  const std::int64_t n = suite.tiny() ? 1000 : std::int64_t{1} << 25, rows = suite.tiny() ? 10 : 16384,
                     width = suite.tiny() ? 16 : 2048;
  const auto add_map = [&](const char* name, auto f) {
    suite.add<float, bf16>(name, {{"n", n}}, [=](auto device, auto type, const Rotation& rotation) {
      return map(device, type, f, n, rotation);
    });
  };
  const auto add_gradient = [&](const char* name, auto f) {
    suite.add<float, bf16>(name, {{"n", n}}, [=](auto device, auto type, const Rotation& rotation) {
      return map_gradient(device, type, f, n, rotation);
    });
  };
  const auto add_zip = [&](const char* name, auto f, bool repeated) {
    suite.add<float, bf16>(name, {{"rows", rows}, {"n", width}}, [=](auto device, auto type, const Rotation& rotation) {
      return zip(device, type, f, rows, width, repeated, rotation);
    });
  };
  add_map("relu", kernels::Relu{});
  add_map("tanh", kernels::Tanh{});
  add_map("sigmoid", kernels::Sigmoid{});
  add_gradient("relu_backward", kernels::Relu{});
  add_gradient("tanh_backward", kernels::Tanh{});
  add_zip("add", kernels::Add{}, false);
  add_zip("multiply", kernels::Multiply{}, false);
  add_zip("add_bias", kernels::Add{}, true);
  suite.add<float, bf16>("dropout", {{"n", n}}, [=](auto device, auto type, const Rotation& rotation) {
    return dropout(device, type, n, rotation);
  });
  // A bias gradient over words, another over locations, the mean feature of images, long rows.
  const std::vector<Reduction> reductions =
      suite.tiny() ? std::vector<Reduction>{{2, 70, 9}, {3, 300, 1}}
                   : std::vector<Reduction>{{1, 3020, 9490}, {1, 50176, 512}, {256, 196, 2048}, {4096, 8192, 1}};
  for (const Reduction& r : reductions)
    suite.add<float, bf16>(
        "reduce_sum", {{"outer", r.outer}, {"n", r.n}, {"inner", r.inner}},
        [=](auto device, auto type, const Rotation& rotation) { return reduce(device, type, r, rotation); });
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
