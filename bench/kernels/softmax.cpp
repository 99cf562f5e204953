// Softmax and log-softmax over rows.

#include "glimpse/kernels/softmax.h"

#include "suite.h"

namespace glimpse::bench {
namespace {

/// f(device, rows, n, x, y) is one of the forward kernels.
template <class Device, class T, class F>
Subject forward(Device device, T, std::int64_t rows, std::int64_t n, const Rotation& rotation, F f) {
  const double elements = static_cast<double>(rows * n);
  const Cost cost = {2 * elements * sizeof(T), 20 * elements};
  const Lab lab(device, cost, rotation);
  const auto host = draw<T>(rows * n, 1, 2);
  const auto x = lab.input(host), y = lab.template output<T>(rows * n);
  return {cost, lab.sets(), [=](int set) { f(device, rows, n, x[set], y[set]); },
          [=] {
            auto truth = zeros(rows * n);
            const auto wide = widened(host);
            f(Cpu{}, rows, n, wide.data(), truth.data());
            return y.error(truth);
          }};
}

/// f(device, rows, n, y, dy, dx) is one of the backward kernels, `result` the forward one that y comes from.
template <class Device, class T, class F, class G>
Subject backward(Device device, T, std::int64_t rows, std::int64_t n, const Rotation& rotation, F f, G result) {
  const double elements = static_cast<double>(rows * n);
  const Cost cost = {3 * elements * sizeof(T), 20 * elements};
  const Lab lab(device, cost, rotation);
  const auto raw = draw<float>(rows * n, 1, 2);
  std::vector<float> normal(raw.size());
  result(Cpu{}, rows, n, raw.data(), normal.data());
  std::vector<T> host_y(raw.size());
  kernels::convert(Cpu{}, rows * n, normal.data(), host_y.data());
  const auto host_dy = draw<T>(rows * n, 2);
  const auto y = lab.input(host_y), dy = lab.input(host_dy), dx = lab.template output<T>(rows * n);
  return {cost, lab.sets(), [=](int set) { f(device, rows, n, y[set], dy[set], dx[set]); },
          [=] {
            auto truth = zeros(rows * n);
            const auto wide_y = widened(host_y), wide_dy = widened(host_dy);
            f(Cpu{}, rows, n, wide_y.data(), wide_dy.data(), truth.data());
            return dx.error(truth);
          }};
}

void add_rows(Suite& suite) {
  using Pair = std::pair<std::int64_t, std::int64_t>;
  // Attention maps; words of a batch with a small and a large vocabulary, and with one whose rows can be read 16 bytes
  // at a time.
  const std::vector<Pair> shapes = suite.tiny()
                                       ? std::vector<Pair>{{3, 196}, {2, 1200}}
                                       : std::vector<Pair>{{65536, 196}, {3020, 2541}, {3020, 9490}, {3020, 9504}};
  const auto softmax = [](auto... a) { kernels::softmax_forward(a...); };
  const auto log_softmax = [](auto... a) { kernels::log_softmax_forward(a...); };
  const auto softmax_back = [](auto... a) { kernels::softmax_backward(a...); };
  const auto log_softmax_back = [](auto... a) { kernels::log_softmax_backward(a...); };
  for (const auto& [rows, n] : shapes) {
    const Sizes sizes = {{"rows", rows}, {"n", n}};
    const auto add_forward = [&, rows = rows, n = n](const char* name, auto f) {
      suite.add<float, bf16>(name, sizes, [=](auto device, auto type, const Rotation& rotation) {
        return forward(device, type, rows, n, rotation, f);
      });
    };
    const auto add_backward = [&, rows = rows, n = n](const char* name, auto f, auto result) {
      suite.add<float, bf16>(name, sizes, [=](auto device, auto type, const Rotation& rotation) {
        return backward(device, type, rows, n, rotation, f, result);
      });
    };
    add_forward("softmax_forward", softmax);
    add_backward("softmax_backward", softmax_back, softmax);
    add_forward("log_softmax_forward", log_softmax);
    add_backward("log_softmax_backward", log_softmax_back, log_softmax);
  }
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
