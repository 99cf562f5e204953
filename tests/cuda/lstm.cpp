#include "glimpse/kernels/lstm.h"

#include <algorithm>

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

/// In the type that the cell's state has beside gates of type T.
template <class T>
std::vector<Accumulator<T>> draw_state(std::int64_t n, std::uint64_t seed) {
  return draw<Accumulator<T>>(n, seed);
}

template <class T>
void check_forward(std::int64_t batch, std::int64_t hidden) {
  using A = Accumulator<T>;
  const std::int64_t n = batch * hidden;
  const std::string what = "lstm_forward (" + std::to_string(batch) + "," + std::to_string(hidden) + ")";
  const std::vector<T> gates = draw<T>(4 * n, 1, 2);
  const std::vector<A> c = draw_state<T>(n, 2);
  std::vector<double> activated(gates.size()), c_next(c.size()), h_next(c.size());
  lstm_forward<double>(Cpu{}, {batch, hidden, to_double(gates).data(), to_double(c).data(), activated.data(),
                               c_next.data(), h_next.data()});
  std::vector<A> got_c;
  std::vector<T> got_h;
  const std::vector<T> got = repeated<T>(what, [&] {
    const DeviceArray<T> x(gates), a(4 * n), h(n);
    const DeviceArray<A> cell(c), next(n);
    lstm_forward<T>(Cuda{}, {batch, hidden, x.data(), cell.data(), a.data(), next.data(), h.data()});
    lstm_forward<T>(Cuda{}, {batch, hidden, x.data(), cell.data(), x.data(), cell.data(), h.data()});
    check_same(what + " in place", x.host(), a.host());
    got_c = cell.host();
    got_h = h.host();
    return a.host();
  });
  check_close(what + " gates", got, activated, 4, 8);
  check_close(what + " c", got_c, c_next, 8, 8);
  check_close(what + " h", got_h, h_next, 8, 8);
}

template <class T>
void check_backward(std::int64_t batch, std::int64_t hidden, std::int64_t later_rows, bool from_h, bool from_later,
                    bool from_c = false) {
  using A = Accumulator<T>;
  const std::int64_t n = batch * hidden;
  const std::string what = "lstm_backward (" + std::to_string(batch) + "," + std::to_string(hidden) + ")";
  const std::vector<T> gates = draw<T>(4 * n, 1), dh = draw<T>(n, 4), dh_later = draw<T>(later_rows * hidden, 5);
  const std::vector<A> c = draw_state<T>(n, 2), c_next = draw_state<T>(n, 3),
                       dc_next = draw_state<T>(later_rows * hidden, 6), dc_own = draw_state<T>(n, 7);
  const std::vector<double> wide_dh = to_double(dh), wide_later = to_double(dh_later), wide_dc = to_double(dc_next),
                            wide_own = to_double(dc_own);
  LstmGradients<double> host{from_h ? wide_dh.data() : nullptr, from_later ? wide_later.data() : nullptr,
                             from_later ? wide_dc.data() : nullptr, later_rows, from_c ? wide_own.data() : nullptr};
  std::vector<double> dgates(gates.size()), dc(c.size());
  lstm_backward<double>(Cpu{}, {batch, hidden, to_double(gates).data(), to_double(c).data(), to_double(c_next).data(),
                                host, dgates.data(), dc.data()});
  std::vector<A> got_dc;
  const std::vector<T> got = repeated<T>(what, [&] {
    const DeviceArray<T> a(gates), out(4 * n), up(dh), up_later(dh_later);
    const DeviceArray<A> cell(c), next(c_next), dnext(dc_next), own(dc_own), dcell(n);
    const LstmGradients<T> gradients{from_h ? up.data() : nullptr, from_later ? up_later.data() : nullptr,
                                     from_later ? dnext.data() : nullptr, later_rows, from_c ? own.data() : nullptr};
    lstm_backward<T>(Cuda{}, {batch, hidden, a.data(), cell.data(), next.data(), gradients, out.data(), dcell.data()});
    got_dc = dcell.host();
    return out.host();
  });
  check_close(what + " dgates", got, dgates, 64, 16);
  check_close(what + " dc", got_dc, dc, 64, 16);
}

/// x (rows,width), its rows `stride` apart, with 7 between.
template <class T>
std::vector<T> spread(const std::vector<T>& x, std::int64_t width, std::int64_t stride) {
  std::vector<T> result(x.size() / static_cast<std::size_t>(width) * static_cast<std::size_t>(stride), T(7));
  for (std::int64_t i = 0; i < std::ssize(x); ++i) result[i / width * stride + i % width] = x[i];
  return result;
}

/// What forward() gives for gates x, with `more` besides where it is not empty, in rows `stride` apart.
template <class Device>
std::vector<std::vector<float>> forward(Device device, std::int64_t hidden, const std::vector<float>& x,
                                        const std::vector<float>& c, const std::vector<float>& more,
                                        std::int64_t stride) {
  const std::int64_t n = std::ssize(c), batch = n / hidden;
  if constexpr (std::is_same_v<Device, Cuda>) {
    const DeviceArray<float> in(x), cell(c), apart(more), a(4 * n), next(n), h(n);
    lstm_forward<float>(device, {batch, hidden, in.data(), cell.data(), a.data(), next.data(), h.data(),
                                 more.empty() ? nullptr : apart.data(), stride});
    return {a.host(), next.host(), h.host()};
  } else {
    std::vector<float> a(x.size()), next(c.size()), h(c.size());
    lstm_forward<float>(device, {batch, hidden, x.data(), c.data(), a.data(), next.data(), h.data(),
                                 more.empty() ? nullptr : more.data(), stride});
    return {a, next, h};
  }
}

/// dgates, in rows `stride` apart, 0: next to each other.
template <class Device>
std::vector<float> backward(Device device, std::int64_t hidden, const std::vector<float>& gates,
                            const std::vector<float>& c, std::int64_t stride) {
  const std::int64_t n = std::ssize(c), batch = n / hidden;
  std::vector<float> apart(static_cast<std::size_t>(batch * std::max(stride, 4 * hidden)), 7), dc(c.size());
  if constexpr (std::is_same_v<Device, Cuda>) {
    const DeviceArray<float> a(gates), cell(c), out(apart), down(dc);
    lstm_backward<float>(
        device,
        {batch, hidden, a.data(), cell.data(), cell.data(), {.dh = cell.data()}, out.data(), down.data(), stride});
    return out.host();
  } else {
    lstm_backward<float>(
        device, {batch, hidden, gates.data(), c.data(), c.data(), {.dh = c.data()}, apart.data(), dc.data(), stride});
    return apart;
  }
}

/// Gates in two parts are their sum, and gradients go to rows with a gap between.
template <class Device>
void check_parts(Device device, std::int64_t hidden, std::int64_t gap) {
  const std::int64_t n = 5 * hidden, stride = 4 * hidden + gap;
  const std::vector<float> gates = draw<float>(4 * n, 1, 2), more = draw<float>(4 * n, 3), c = draw<float>(n, 2);
  std::vector<float> sum = gates;
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
  const auto expected = forward(device, hidden, sum, c, {}, 0),
             found = forward(device, hidden, gates, c, spread(more, 4 * hidden, stride), stride);
  for (std::size_t i = 0; i < 3; ++i) check_same("gates in two parts", found[i], expected[i]);
  check_same("gradients apart", backward(device, hidden, gates, c, stride),
             spread(backward(device, hidden, gates, c, 0), 4 * hidden, stride));
}

}  // namespace

TEST_CASE("the LSTM cell takes gates in two parts and gives gradients in rows that are apart") {
  for (const std::int64_t hidden : {1, 33, 64})
    for (const std::int64_t gap : {0, 3, 8}) {
      check_parts(Cpu{}, hidden, gap);
      check_parts(Cuda{}, hidden, gap);
    }
}

TEST_CASE("the LSTM cell, forward and backward") {
  for (const std::int64_t batch : {0, 1, 67})
    for (const std::int64_t hidden : {1, 31, 32, 33, 196})
      for_each_type([&](auto type, const char*) {
        using T = decltype(type);
        check_forward<T>(batch, hidden);
        check_backward<T>(batch, hidden, batch, true, true);
        check_backward<T>(batch, hidden, batch / 2, true, true);
        check_backward<T>(batch, hidden, 0, true, false);
        check_backward<T>(batch, hidden, batch, false, true);
        check_backward<T>(batch, hidden, batch / 2, true, true, true);
      });
}
