// The gate of the context: a sigmoid and a product, forward and backward. A block per query: the gate is either one
// number of the row or one of each channel, and its gradient then a sum over the row or not.
//
// Bytes: forward 2 Q D sizeof(T), and 4 Q D sizeof(T) with a gate for each channel; backward 3 and 5. Operations: a few
// an element, so memory is the limit, and at the batches of a recurrence the time of a launch: hence one launch for the
// gate's activation, the product and the sum.

#include "glimpse/kernels/gate.h"

#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;

template <int Width, class T>
__global__ void __launch_bounds__(threads, 4)
    gate_forward_kernel(std::int64_t channels, bool per_channel, const T* bias, T* gate, std::int64_t gate_stride,
                        const T* context, T* gated) {
  using A = Accumulator<T>;
  gate += blockIdx.x * gate_stride;
  context += blockIdx.x * channels;
  gated += blockIdx.x * channels;
  const A shared_gate = per_channel ? A(0) : sigmoid(widen(gate[0]) + widen(bias[0]));
  if (!per_channel) {
    __syncthreads();  // all have read what the first one overwrites
    if (threadIdx.x == 0) gate[0] = narrow<T>(shared_gate);
  }
  for (const std::int64_t p : block_stride(channels / Width)) {
    Pack<T, Width> c = load<Width>(context + p * Width), g;
    if (per_channel) {
      g = load<Width>(gate + p * Width);
#pragma unroll
      for (int j = 0; j < Width; ++j) g.v[j] = narrow<T>(sigmoid(widen(g.v[j]) + widen(bias[p * Width + j])));
      store(gate + p * Width, g);
    }
#pragma unroll
    for (int j = 0; j < Width; ++j) c.v[j] = narrow<T>((per_channel ? widen(g.v[j]) : shared_gate) * widen(c.v[j]));
    store(gated + p * Width, c);
  }
}

template <int Width, class T>
__global__ void __launch_bounds__(threads, 4)
    gate_backward_kernel(std::int64_t channels, bool per_channel, const T* gate, std::int64_t gate_stride,
                         const T* context, const T* dgated, T* dcontext, T* dgate, std::int64_t dgate_stride) {
  using A = Accumulator<T>;
  gate += blockIdx.x * gate_stride;
  dgate += blockIdx.x * dgate_stride;
  const std::int64_t row = blockIdx.x * channels;
  const A shared_gate = per_channel ? A(0) : widen(gate[0]);
  A sum = 0;
  for (const std::int64_t p : block_stride(channels / Width)) {
    const std::int64_t at = row + p * Width;
    const Pack<T, Width> c = load<Width>(context + at);
    Pack<T, Width> dz = load<Width>(dgated + at), g;
    if (per_channel) g = load<Width>(gate + p * Width);
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      const A own = per_channel ? widen(g.v[j]) : shared_gate, product = widen(dz.v[j]) * widen(c.v[j]);
      sum += product;
      g.v[j] = narrow<T>(product * own * (A(1) - own));
      dz.v[j] = narrow<T>(own * widen(dz.v[j]));
    }
    if (per_channel) store(dgate + p * Width, g);
    store(dcontext + at, dz);
  }
  if (per_channel) return;
  sum = block_sum(sum);
  if (threadIdx.x == 0) dgate[0] = narrow<T>(sum * shared_gate * (A(1) - shared_gate));
}

}  // namespace

template <class T>
void gate_forward(Cuda device, const GateForward<T>& call) {
  if (call.queries == 0 || call.channels == 0) return;
  const std::int64_t channels = call.channels;
  const bool per_channel = call.width != 1;
  // The only gate of a row is read alone, whatever its place.
  const Rows gates = per_channel ? Rows(call.gate, call.gate_stride) : Rows(call.context, channels);
  dispatch_width<pack_width<T>>({gates, {call.context, channels}, {call.gated, channels}}, [&]<int Width>() {
    launch(device, {"gate_forward", {call.queries, channels, call.width}, grid_size(call.queries), threads},
           gate_forward_kernel<Width, T>, channels, per_channel, call.bias, call.gate, call.gate_stride, call.context,
           call.gated);
  });
}

template <class T>
void gate_backward(Cuda device, const GateBackward<T>& call) {
  if (call.queries == 0 || call.channels == 0) return;
  const std::int64_t channels = call.channels;
  const bool per_channel = call.width != 1;
  const Rows gates = per_channel ? Rows(call.gate, call.gate_stride) : Rows(call.context, channels);
  const Rows dgates = per_channel ? Rows(call.dgate, call.dgate_stride) : Rows(call.context, channels);
  dispatch_width<pack_width<T>>(
      {gates, dgates, {call.context, channels}, {call.dgated, channels}, {call.dcontext, channels}}, [&]<int Width>() {
        launch(device, {"gate_backward", {call.queries, channels, call.width}, grid_size(call.queries), threads},
               gate_backward_kernel<Width, T>, channels, per_channel, call.gate, call.gate_stride, call.context,
               call.dgated, call.dcontext, call.dgate, call.dgate_stride);
      });
}

GLIMPSE_GATE_KERNELS(Cuda, float)
GLIMPSE_GATE_KERNELS(Cuda, double)
GLIMPSE_GATE_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
