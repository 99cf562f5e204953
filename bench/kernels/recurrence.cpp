// The point-wise parts of a decoder step: LSTM cell and gate of the context.

#include "glimpse/kernels/gate.h"
#include "glimpse/kernels/lstm.h"
#include "suite.h"

namespace glimpse::bench {
namespace {

template <class Device, class T>
Subject lstm_forward(Device device, T, std::int64_t batch, std::int64_t hidden, const Rotation& rotation) {
  using A = Accumulator<T>;
  const std::int64_t units = batch * hidden;
  const Cost cost = {static_cast<double>(units) * (9 * sizeof(T) + 2 * sizeof(A)), 60.0 * static_cast<double>(units)};
  const Lab lab(device, cost, rotation);
  const auto host_gates = draw<T>(4 * units, 1);
  const auto host_c = draw<A>(units, 2);
  const auto gates = lab.input(host_gates);
  const auto c = lab.input(host_c);
  const auto activated = lab.template output<T>(4 * units), h = lab.template output<T>(units);
  const auto c_next = lab.template output<A>(units);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::lstm_forward<T>(device, {batch, hidden, gates[set], c[set], activated[set], c_next[set], h[set]});
          },
          [=] {
            auto true_activated = zeros(4 * units), true_c = zeros(units), true_h = zeros(units);
            kernels::lstm_forward<double>(Cpu{}, {batch, hidden, widened(host_gates).data(), widened(host_c).data(),
                                                  true_activated.data(), true_c.data(), true_h.data()});
            return std::max({activated.error(true_activated), c_next.error(true_c), h.error(true_h)});
          }};
}

template <class Device, class T>
Subject lstm_backward(Device device, T, std::int64_t batch, std::int64_t hidden, const Rotation& rotation) {
  using A = Accumulator<T>;
  const std::int64_t units = batch * hidden;
  // 4 gates and dh in, 4 dgates out; c, c_next, dc_next in, dc out.
  const Cost cost = {static_cast<double>(units) * (9 * sizeof(T) + 4 * sizeof(A)), 60.0 * static_cast<double>(units)};
  const Lab lab(device, cost, rotation);
  auto host_activated = draw<T>(4 * units, 1);
  for (T& v : host_activated) v = T(0.5f + 0.25f * static_cast<float>(v));  // as gates are: between 0 and 1
  const auto host_c = draw<A>(units, 2), host_c_next = draw<A>(units, 3), host_dc = draw<A>(units, 4);
  const auto host_dh = draw<T>(units, 5);
  const auto activated = lab.input(host_activated), dh = lab.input(host_dh);
  const auto c = lab.input(host_c), c_next = lab.input(host_c_next), dc_next = lab.input(host_dc);
  const auto dgates = lab.template output<T>(4 * units);
  const auto dc = lab.template output<A>(units);
  return {cost, lab.sets(),
          [=](int set) {
            const kernels::LstmGradients<T> gradients{dh[set], nullptr, dc_next[set], batch};
            kernels::lstm_backward<T>(
                device, {batch, hidden, activated[set], c[set], c_next[set], gradients, dgates[set], dc[set]});
          },
          [=] {
            auto true_dgates = zeros(4 * units), true_dc = zeros(units);
            const auto wide_dh = widened(host_dh), wide_dc = widened(host_dc);
            const kernels::LstmGradients<double> gradients{wide_dh.data(), nullptr, wide_dc.data(), batch};
            kernels::lstm_backward<double>(
                Cpu{}, {batch, hidden, widened(host_activated).data(), widened(host_c).data(),
                        widened(host_c_next).data(), gradients, true_dgates.data(), true_dc.data()});
            return std::max(dgates.error(true_dgates), dc.error(true_dc));
          }};
}

/// A gate for each channel.
template <class Device, class T>
Subject gate_forward(Device device, T, std::int64_t queries, std::int64_t channels, const Rotation& rotation) {
  const std::int64_t n = queries * channels;
  // Gate and context in, gate and product out.
  const Cost cost = {4.0 * static_cast<double>(n) * sizeof(T), 25.0 * static_cast<double>(n)};
  const Lab lab(device, cost, rotation);
  const auto host_gate = draw<T>(n, 1), host_context = draw<T>(n, 2), host_bias = draw<T>(channels, 3);
  const auto gate = lab.input(host_gate), context = lab.input(host_context), bias = lab.input(host_bias);
  const auto gated = lab.template output<T>(n);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::gate_forward<T>(
                device, {queries, channels, channels, bias[set], gate[set], channels, context[set], gated[set]});
          },
          [=] {
            auto true_gate = widened(host_gate), true_gated = zeros(n);
            kernels::gate_forward<double>(
                Cpu{}, {queries, channels, channels, widened(host_bias).data(), true_gate.data(), channels,
                        widened(host_context).data(), true_gated.data()});
            return std::max(gate.error(true_gate), gated.error(true_gated));
          }};
}

template <class Device, class T>
Subject gate_backward(Device device, T, std::int64_t queries, std::int64_t channels, const Rotation& rotation) {
  const std::int64_t n = queries * channels;
  const Cost cost = {5.0 * static_cast<double>(n) * sizeof(T), 6.0 * static_cast<double>(n)};
  const Lab lab(device, cost, rotation);
  auto host_gate = draw<T>(n, 1);
  for (T& v : host_gate) v = T(0.5f + 0.25f * static_cast<float>(v));
  const auto host_context = draw<T>(n, 2), host_dgated = draw<T>(n, 3);
  const auto gate = lab.input(host_gate), context = lab.input(host_context), dgated = lab.input(host_dgated);
  const auto dcontext = lab.template output<T>(n), dgate = lab.template output<T>(n);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::gate_backward<T>(device, {queries, channels, channels, gate[set], channels, context[set],
                                               dgated[set], dcontext[set], dgate[set], channels});
          },
          [=] {
            auto true_dcontext = zeros(n), true_dgate = zeros(n);
            kernels::gate_backward<double>(
                Cpu{}, {queries, channels, channels, widened(host_gate).data(), channels, widened(host_context).data(),
                        widened(host_dgated).data(), true_dcontext.data(), true_dgate.data(), channels});
            return std::max(dcontext.error(true_dcontext), dgate.error(true_dgate));
          }};
}

void add_rows(Suite& suite) {
  const std::vector<std::int64_t> batches =
      suite.tiny() ? std::vector<std::int64_t>{3} : std::vector<std::int64_t>{64, 256, 16384};
  const std::int64_t hidden = suite.tiny() ? 32 : 512;
  for (const std::int64_t batch : batches) {
    const Sizes sizes = {{"B", batch}, {"H", hidden}};
    suite.add<float, bf16>("lstm_forward", sizes, [=](auto device, auto type, const Rotation& rotation) {
      return lstm_forward(device, type, batch, hidden, rotation);
    });
    suite.add<float, bf16>("lstm_backward", sizes, [=](auto device, auto type, const Rotation& rotation) {
      return lstm_backward(device, type, batch, hidden, rotation);
    });
  }
  const std::int64_t channels = suite.tiny() ? 32 : 2048;
  for (const std::int64_t batch : batches) {
    const Sizes sizes = {{"Q", batch}, {"D", channels}};
    suite.add<float, bf16>("gate_forward", sizes, [=](auto device, auto type, const Rotation& rotation) {
      return gate_forward(device, type, batch, channels, rotation);
    });
    suite.add<float, bf16>("gate_backward", sizes, [=](auto device, auto type, const Rotation& rotation) {
      return gate_backward(device, type, batch, channels, rotation);
    });
  }
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
