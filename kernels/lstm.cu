// The point-wise part of an LSTM step: all four gates of a unit in one thread, several neighbouring units at a time, so
// that every array is read and written 16 bytes at once (32 for c beside bf16 gates). Nothing is exchanged between
// threads.
//
// Bytes per unit, f32: forward 4 gates and c in, 4 activated gates, c and h out, 44; backward 4 gates, c, c_next, dh
// and dc_next in, 4 dgates and dc out, 52; gates in two parts 16 more. Operations: about 60 with five exponentials, so
// memory is the limit; at the small batches of a recurrence it is the time of a launch.

#include "glimpse/kernels/lstm.h"

#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;

/// N numbers as they are computed with.
template <class A, int N>
struct Values {
  A v[N];
};

template <int N, class T>
__device__ __forceinline__ Values<Accumulator<T>, N> read(const T* p) {
  const Pack<T, N> pack = load<N>(p);
  Values<Accumulator<T>, N> values;
#pragma unroll
  for (int j = 0; j < N; ++j) values.v[j] = widen(pack.v[j]);
  return values;
}

/// Zero for a null pointer.
template <int N, class T>
__device__ __forceinline__ Values<Accumulator<T>, N> read_or_zero(const T* base, std::int64_t at) {
  if (base) return read<N>(base + at);
  return {};
}

template <int N, class T>
__device__ __forceinline__ void write(T* p, const Values<Accumulator<T>, N>& values) {
  Pack<T, N> pack;
#pragma unroll
  for (int j = 0; j < N; ++j) pack.v[j] = narrow<T>(values.v[j]);
  store(p, pack);
}

/// The gates of N units of a row, H apart: `gates` and, unless null, `more`.
template <int N, class T>
__device__ __forceinline__ Values<Accumulator<T>, N> read_gate(const T* gates, const T* more) {
  Values<Accumulator<T>, N> gate = read<N>(gates);
  if (more) {
    const Values<Accumulator<T>, N> other = read<N>(more);
#pragma unroll
    for (int j = 0; j < N; ++j) gate.v[j] += other.v[j];
  }
  return gate;
}

/// gates, activated (B,4H), more (B,4H) with rows more_stride apart or null; c, c_next, h_next (B,H). A thread for
/// `Width` units of a row; `packs` = H / Width.
template <int Width, class T>
__global__ void __launch_bounds__(threads)
    lstm_forward_kernel(std::int64_t batch, unsigned packs, const T* gates, const T* more, std::int64_t more_stride,
                        const Accumulator<T>* c, T* activated, Accumulator<T>* c_next, T* h_next) {
  using A = Accumulator<T>;
  const std::int64_t hidden = static_cast<std::int64_t>(packs) * Width;
  for (const std::int64_t p : grid_stride(batch * packs)) {
    const std::int64_t row = p / packs, unit = (p - row * packs) * Width, at = 4 * row * hidden + unit;
    const T* own = gates + at;
    const T* added = more ? more + row * more_stride + unit : nullptr;
    const auto gate = [&](int number) {
      return read_gate<Width>(own + number * hidden, added ? added + number * hidden : nullptr);
    };
    Values<A, Width> i = gate(0), f = gate(1), g = gate(2), o = gate(3), cell = read<Width>(c + row * hidden + unit), h;
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      i.v[j] = sigmoid(i.v[j]);
      f.v[j] = sigmoid(f.v[j]);
      g.v[j] = tanh(g.v[j]);
      o.v[j] = sigmoid(o.v[j]);
      cell.v[j] = f.v[j] * cell.v[j] + i.v[j] * g.v[j];
      h.v[j] = o.v[j] * tanh(cell.v[j]);
    }
    write(activated + at, i);
    write(activated + at + hidden, f);
    write(activated + at + 2 * hidden, g);
    write(activated + at + 3 * hidden, o);
    write(c_next + row * hidden + unit, cell);
    write(h_next + row * hidden + unit, h);
  }
}

template <int Width, class T>
__global__ void __launch_bounds__(threads)
    lstm_backward_kernel(std::int64_t batch, unsigned packs, const T* activated, const Accumulator<T>* c,
                         const Accumulator<T>* c_next, LstmGradients<T> gradients, T* dgates,
                         std::int64_t dgates_stride, Accumulator<T>* dc) {
  using A = Accumulator<T>;
  const std::int64_t hidden = static_cast<std::int64_t>(packs) * Width;
  for (const std::int64_t p : grid_stride(batch * packs)) {
    const std::int64_t row = p / packs, unit = (p - row * packs) * Width, at = 4 * row * hidden + unit,
                       cell_at = row * hidden + unit, to = row * dgates_stride + unit;
    const bool later = row < gradients.later_rows;
    const Values<A, Width> i = read<Width>(activated + at), f = read<Width>(activated + at + hidden),
                           g = read<Width>(activated + at + 2 * hidden), o = read<Width>(activated + at + 3 * hidden),
                           before = read<Width>(c + cell_at), after = read<Width>(c_next + cell_at);
    Values<A, Width> dh = read_or_zero<Width>(gradients.dh, cell_at);
    const Values<A, Width> dh_later = read_or_zero<Width>(later ? gradients.dh_later : nullptr, cell_at);
    Values<A, Width> dcell = read_or_zero<Width>(later ? gradients.dc_next : nullptr, cell_at);
    const Values<A, Width> dc_own = read_or_zero<Width>(gradients.dc, cell_at);
    Values<A, Width> di, df, dg, d_o;
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      const A t = tanh(after.v[j]);
      dh.v[j] += dh_later.v[j];
      dcell.v[j] += dc_own.v[j] + dh.v[j] * o.v[j] * (A(1) - t * t);
      di.v[j] = dcell.v[j] * g.v[j] * i.v[j] * (A(1) - i.v[j]);
      df.v[j] = dcell.v[j] * before.v[j] * f.v[j] * (A(1) - f.v[j]);
      dg.v[j] = dcell.v[j] * i.v[j] * (A(1) - g.v[j] * g.v[j]);
      d_o.v[j] = dh.v[j] * t * o.v[j] * (A(1) - o.v[j]);
      dcell.v[j] *= f.v[j];
    }
    write(dgates + to, di);
    write(dgates + to + hidden, df);
    write(dgates + to + 2 * hidden, dg);
    write(dgates + to + 3 * hidden, d_o);
    write(dc + cell_at, dcell);
  }
}

}  // namespace

template <class T>
void lstm_forward(Cuda device, const LstmForward<T>& call) {
  const std::int64_t batch = call.batch, hidden = call.hidden;
  if (batch == 0 || hidden == 0) return;
  dispatch_width<quad_width<T>>({{call.gates, hidden},
                                 {call.more, call.more_stride},
                                 {call.c, hidden},
                                 {call.activated, hidden},
                                 {call.c_next, hidden},
                                 {call.h_next, hidden}},
                                [&]<int Width>() {
                                  const std::int64_t packs = hidden / Width;
                                  launch(device,
                                         {"lstm_forward", {batch, hidden}, grid_for(batch * packs, threads), threads},
                                         lstm_forward_kernel<Width, T>, batch, static_cast<unsigned>(packs), call.gates,
                                         call.more, call.more_stride, call.c, call.activated, call.c_next, call.h_next);
                                });
}

template <class T>
void lstm_backward(Cuda device, const LstmBackward<T>& call) {
  const std::int64_t batch = call.batch, hidden = call.hidden;
  if (batch == 0 || hidden == 0) return;
  const LstmGradients<T>& received = call.received;
  const std::int64_t stride = call.dgates_stride > 0 ? call.dgates_stride : 4 * hidden;
  dispatch_width<quad_width<T>>({{call.activated, hidden},
                                 {call.c, hidden},
                                 {call.c_next, hidden},
                                 {received.dh, hidden},
                                 {received.dh_later, hidden},
                                 {received.dc_next, hidden},
                                 {received.dc, hidden},
                                 {call.dgates, stride},
                                 {call.dc, hidden}},
                                [&]<int Width>() {
                                  const std::int64_t packs = hidden / Width;
                                  launch(device,
                                         {"lstm_backward", {batch, hidden}, grid_for(batch * packs, threads), threads},
                                         lstm_backward_kernel<Width, T>, batch, static_cast<unsigned>(packs),
                                         call.activated, call.c, call.c_next, received, call.dgates, stride, call.dc);
                                });
}

GLIMPSE_LSTM_KERNELS(Cuda, float)
GLIMPSE_LSTM_KERNELS(Cuda, double)
GLIMPSE_LSTM_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
