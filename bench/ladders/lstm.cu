// The point-wise part of an LSTM step, from one kernel for each operation to the shipped one.
// Bytes: 44 a unit at least: 4 gates and c in, 4 activated gates, c and h out, f32. Operations: about 60 a unit.

#include "glimpse/kernels/lstm.h"

#include "glimpse/kernels/cuda/helpers.cuh"
#include "ladder.h"

namespace glimpse::bench {
namespace {

using namespace kernels;

constexpr unsigned threads = 256;

/// One of the gates i, f, g, o (number 0 to 3) of gates (B,4H), to the same place in activated.
__global__ void activate_gate_kernel(std::int64_t batch, std::int64_t hidden, int gate, const float* gates,
                                     float* activated) {
  for (const std::int64_t p : grid_stride(batch * hidden)) {
    const std::int64_t at = p / hidden * 4 * hidden + gate * hidden + p % hidden;
    activated[at] = gate == 2 ? tanh(gates[at]) : sigmoid(gates[at]);
  }
}

__global__ void activate_gates_kernel(std::int64_t batch, std::int64_t hidden, const float* gates, float* activated) {
  for (const std::int64_t p : grid_stride(4 * batch * hidden)) {
    const bool cell = p / hidden % 4 == 2;
    activated[p] = cell ? tanh(gates[p]) : sigmoid(gates[p]);
  }
}

/// c_next (B,H) = f c + i g.
__global__ void cell_kernel(std::int64_t batch, std::int64_t hidden, const float* activated, const float* c,
                            float* c_next) {
  for (const std::int64_t p : grid_stride(batch * hidden)) {
    const float* gates = activated + p / hidden * 4 * hidden + p % hidden;
    c_next[p] = gates[hidden] * c[p] + gates[0] * gates[2 * hidden];
  }
}

/// h (B,H) = o tanh(c).
__global__ void hidden_kernel(std::int64_t batch, std::int64_t hidden, const float* activated, const float* c_next,
                              float* h_next) {
  for (const std::int64_t p : grid_stride(batch * hidden))
    h_next[p] = activated[p / hidden * 4 * hidden + 3 * hidden + p % hidden] * tanh(c_next[p]);
}

__global__ void state_kernel(std::int64_t batch, std::int64_t hidden, const float* activated, const float* c,
                             float* c_next, float* h_next) {
  for (const std::int64_t p : grid_stride(batch * hidden)) {
    const float* gates = activated + p / hidden * 4 * hidden + p % hidden;
    const float cell = gates[hidden] * c[p] + gates[0] * gates[2 * hidden];
    c_next[p] = cell;
    h_next[p] = gates[3 * hidden] * tanh(cell);
  }
}

__global__ void lstm_fused_kernel(std::int64_t batch, std::int64_t hidden, const float* gates, const float* c,
                                  float* activated, float* c_next, float* h_next) {
  for (const std::int64_t p : grid_stride(batch * hidden)) {
    const std::int64_t at = p / hidden * 4 * hidden + p % hidden;
    const float i = sigmoid(gates[at]), f = sigmoid(gates[at + hidden]), g = tanh(gates[at + 2 * hidden]),
                o = sigmoid(gates[at + 3 * hidden]), cell = f * c[p] + i * g;
    activated[at] = i;
    activated[at + hidden] = f;
    activated[at + 2 * hidden] = g;
    activated[at + 3 * hidden] = o;
    c_next[p] = cell;
    h_next[p] = o * tanh(cell);
  }
}

}  // namespace

Ladder make_ladder(Cuda device, bool small, const Rotation& rotation) {
  const std::int64_t batch = small ? 5 : 16384, hidden = small ? 36 : 512, units = batch * hidden;
  const Cost cost{44.0 * static_cast<double>(units), 60.0 * static_cast<double>(units)};
  const Lab lab(device, cost, rotation);
  const auto host_gates = draw<float>(4 * units, 1), host_c = draw<float>(units, 2);
  const auto gates = lab.input(host_gates), c = lab.input(host_c), activated = lab.output<float>(4 * units),
             c_next = lab.output<float>(units), h = lab.output<float>(units);
  const LaunchSizes sizes{batch, hidden};
  const auto shape = [=](const char* name, std::int64_t n) {
    return Launch{name, sizes, grid_for(n, threads), threads};
  };

  Ladder ladder{"LSTM cell of " + std::to_string(batch) + " rows of " + std::to_string(hidden) + " units, f32",
                cost,
                lab.sets(),
                [=] {
                  spoil(device, activated, 4 * units);
                  spoil(device, c_next, units);
                  spoil(device, h, units);
                },
                [=] {
                  auto true_activated = zeros(4 * units), true_c = zeros(units), true_h = zeros(units);
                  lstm_forward<double>(Cpu{}, {batch, hidden, widened(host_gates).data(), widened(host_c).data(),
                                               true_activated.data(), true_c.data(), true_h.data()});
                  return std::max({activated.error(true_activated), c_next.error(true_c), h.error(true_h)});
                },
                {}};
  ladder.rungs = {
      {"kernel per operation",
       "As composed from plain ops: six launches, and results travel through memory in between.",
       [=](int s) {
         for (int gate = 0; gate < 4; ++gate)
           launch(device, shape("activate gate", units), activate_gate_kernel, batch, hidden, gate, gates[s],
                  activated[s]);
         launch(device, shape("cell", units), cell_kernel, batch, hidden, activated[s], c[s], c_next[s]);
         launch(device, shape("hidden", units), hidden_kernel, batch, hidden, activated[s], c_next[s], h[s]);
       }},
      {"two kernels", "All gates in one launch, the state in another: the cell is not read again for h.",
       [=](int s) {
         launch(device, shape("activate gates", 4 * units), activate_gates_kernel, batch, hidden, gates[s],
                activated[s]);
         launch(device, shape("state", units), state_kernel, batch, hidden, activated[s], c[s], c_next[s], h[s]);
       }},
      {"one kernel", "A thread does a unit from its four gates to h: every array is read or written once.",
       [=](int s) {
         launch(device, shape("fused", units), lstm_fused_kernel, batch, hidden, gates[s], c[s], activated[s],
                c_next[s], h[s]);
       }},
      {"shipped", "Four units a thread, 16 bytes at a time: a quarter of the instructions, more bytes under way.",
       [=](int s) {
         lstm_forward<float>(device, {batch, hidden, gates[s], c[s], activated[s], c_next[s], h[s]});
       }}};
  return ladder;
}

}  // namespace glimpse::bench
