// Softmax and log-softmax over rows, forward and backward.
//
// A row of up to 256 elements (1024 where it can be read four elements at a time) belongs to one warp, which keeps it
// in registers between reading and writing it: nothing but shuffles is exchanged. A longer row belongs to a block,
// which keeps it in shared memory; one too long for that is read three times, the later times mostly from the caches.
// Maximum and sum are reduced in a fixed order, in f32 (f64 for f64).
//
// Bytes: forward 2 rows n sizeof(T), backward 3 rows n sizeof(T), each element once. Operations: about 20 per element,
// one exponential among them, so memory is the limit on every GPU so far, and the layout follows it: neighbouring lanes
// read neighbouring 16 bytes, and a lane has all its loads under way before it needs the first.

#include "glimpse/kernels/softmax.h"

#include "glimpse/kernels/cuda/helpers.cuh"

namespace glimpse::kernels {
namespace {

constexpr int packs_of_lane = 8;
constexpr int rows_of_block = 4;                             // in the kernels with a warp per row
constexpr unsigned threads_of_row = 256;                     // in those with a block per row
constexpr std::size_t longest_staged = most_shared_unasked;  // bytes

enum class Form { softmax, log_softmax };

template <class A>
constexpr A minus_infinity = -std::numeric_limits<A>::infinity();

/// This lane's elements of a row of n: packs lane, lane + 32, ...; `rest` where the row has ended.
template <int Width, class T>
__device__ __forceinline__ void load_row(int n, const T* row, Accumulator<T> rest,
                                         Accumulator<T> (&v)[packs_of_lane * Width]) {
#pragma unroll
  for (int p = 0; p < packs_of_lane; ++p) {
    const int i = (p * warp_lanes + lane_index()) * Width;
    if (i < n) {
      const Pack<T, Width> pack = load<Width>(row + i);
#pragma unroll
      for (int j = 0; j < Width; ++j) v[p * Width + j] = widen(pack.v[j]);
    } else {
#pragma unroll
      for (int j = 0; j < Width; ++j) v[p * Width + j] = rest;
    }
  }
}

template <int Width, class T>
__device__ __forceinline__ void store_row(int n, const Accumulator<T> (&v)[packs_of_lane * Width], T* row) {
#pragma unroll
  for (int p = 0; p < packs_of_lane; ++p) {
    const int i = (p * warp_lanes + lane_index()) * Width;
    if (i >= n) continue;
    Pack<T, Width> pack;
#pragma unroll
    for (int j = 0; j < Width; ++j) pack.v[j] = narrow<T>(v[p * Width + j]);
    store(row + i, pack);
  }
}

/// From a row's values less its maximum to the result: y = v factor - offset, v being e^(x - max) for softmax and x -
/// max for log-softmax. A row of -inf alone has the sum 0: softmax makes it zeros, log-softmax leaves it.
template <class A>
struct Finish {
  A factor, offset;
  __device__ __forceinline__ Finish(Form form, A sum)
      : factor(form == Form::log_softmax ? A(1) : (sum == A(0) ? A(0) : A(1) / sum)),
        offset(form == Form::softmax || sum == A(0) ? A(0) : log(sum)) {}
};

/// x, y (rows,n), a warp per row.
template <int Width, class T>
__global__ void __launch_bounds__(rows_of_block* warp_lanes)
    softmax_forward_warp_kernel(Form form, std::int64_t rows, int n, const T* x, T* y) {
  using A = Accumulator<T>;
  constexpr int elements = packs_of_lane * Width;
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * rows_of_block + warp_index();
  if (row >= rows) return;
  A v[elements];
  load_row<Width>(n, x + row * n, minus_infinity<A>, v);
  A top = v[0];
#pragma unroll
  for (int i = 1; i < elements; ++i) top = MaxOf{}(v[i], top);
  top = warp_max(top);
  const A shift = top == minus_infinity<A> ? A(0) : top;
  A sum = 0;
#pragma unroll
  for (int i = 0; i < elements; ++i) {
    const A below = v[i] - shift, e = exp(below);
    sum += e;
    v[i] = form == Form::softmax ? e : below;
  }
  const Finish<A> finish(form, warp_sum(sum));
#pragma unroll
  for (int i = 0; i < elements; ++i) v[i] = v[i] * finish.factor - finish.offset;
  store_row<Width>(n, v, y + row * n);
}

/// y, dy, dx (rows,n), a warp per row. softmax: dx = y (dy - sum of y dy); log-softmax: dx = dy - e^y sum of dy.
template <int Width, class T>
__global__ void __launch_bounds__(rows_of_block* warp_lanes)
    softmax_backward_warp_kernel(Form form, std::int64_t rows, int n, const T* y, const T* dy, T* dx) {
  using A = Accumulator<T>;
  constexpr int elements = packs_of_lane * Width;
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * rows_of_block + warp_index();
  if (row >= rows) return;
  A p[elements], g[elements];
  load_row<Width>(n, y + row * n, A(0), p);
  load_row<Width>(n, dy + row * n, A(0), g);
  A sum = 0;
#pragma unroll
  for (int i = 0; i < elements; ++i) sum += form == Form::softmax ? p[i] * g[i] : g[i];
  sum = warp_sum(sum);
#pragma unroll
  for (int i = 0; i < elements; ++i) g[i] = form == Form::softmax ? p[i] * (g[i] - sum) : g[i] - exp(p[i]) * sum;
  store_row<Width>(n, g, dx + row * n);
}

/// x, y (rows,n), a block per row. With `staged` the row lies in n elements of dynamic shared memory; every thread
/// reads there what it has written itself.
template <int Width, class T>
__global__ void softmax_forward_block_kernel(Form form, bool staged, std::int64_t n, const T* x, T* y) {
  using A = Accumulator<T>;
  DYNAMIC_SHARED(A, stage);
  x += blockIdx.x * n;
  y += blockIdx.x * n;
  A top = minus_infinity<A>;
  for (const std::int64_t p : block_stride(n / Width)) {
    const Pack<T, Width> pack = load<Width>(x + p * Width);
    Pack<A, Width> wide;
#pragma unroll
    for (int j = 0; j < Width; ++j) top = MaxOf{}(wide.v[j] = widen(pack.v[j]), top);
    if (staged) store(stage + p * Width, wide);
  }
  top = block_max(top);
  const A shift = top == minus_infinity<A> ? A(0) : top;
  A sum = 0;
  for (const std::int64_t i : block_stride(n / Width)) {
    Pack<A, Width> wide;
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      const A below = (staged ? stage[i * Width + j] : widen(x[i * Width + j])) - shift, e = exp(below);
      sum += e;
      wide.v[j] = form == Form::softmax ? e : below;
    }
    if (staged) store(stage + i * Width, wide);
  }
  const Finish<A> finish(form, block_sum(sum));
  for (const std::int64_t i : block_stride(n / Width)) {
    Pack<T, Width> pack;
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      const A below = staged ? stage[i * Width + j] : widen(x[i * Width + j]) - shift;
      const A v = !staged && form == Form::softmax ? exp(below) : below;
      pack.v[j] = narrow<T>(v * finish.factor - finish.offset);
    }
    store(y + i * Width, pack);
  }
}

/// y, dy, dx (rows,n), a block per row; the second reading comes from the caches.
template <int Width, class T>
__global__ void softmax_backward_block_kernel(Form form, std::int64_t n, const T* y, const T* dy, T* dx) {
  using A = Accumulator<T>;
  y += blockIdx.x * n;
  dy += blockIdx.x * n;
  dx += blockIdx.x * n;
  A sum = 0;
  for (const std::int64_t i : block_stride(n / Width)) {
    const Pack<T, Width> p = load<Width>(y + i * Width), g = load<Width>(dy + i * Width);
#pragma unroll
    for (int j = 0; j < Width; ++j) sum += form == Form::softmax ? widen(p.v[j]) * widen(g.v[j]) : widen(g.v[j]);
  }
  sum = block_sum(sum);
  for (const std::int64_t i : block_stride(n / Width)) {
    const Pack<T, Width> p = load<Width>(y + i * Width), g = load<Width>(dy + i * Width);
    Pack<T, Width> d;
#pragma unroll
    for (int j = 0; j < Width; ++j) {
      const A probability = widen(p.v[j]), gradient = widen(g.v[j]);
      d.v[j] = narrow<T>(form == Form::softmax ? probability * (gradient - sum) : gradient - exp(probability) * sum);
    }
    store(dx + i * Width, d);
  }
}

template <int Width, class T>
void forward(Cuda device, Form form, const char* name, std::int64_t rows, std::int64_t n, const T* x, T* y) {
  if (n <= packs_of_lane * warp_lanes * Width) {
    launch(device, {name, {rows, n}, grid_size(ceil_div(rows, rows_of_block)), rows_of_block * warp_lanes},
           softmax_forward_warp_kernel<Width, T>, form, rows, static_cast<int>(n), x, y);
    return;
  }
  const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(Accumulator<T>);
  const bool staged = bytes <= longest_staged;
  launch(device, {name, {rows, n}, grid_size(rows), threads_of_row, staged ? bytes : 0},
         softmax_forward_block_kernel<Width, T>, form, staged, n, x, y);
}

template <int Width, class T>
void backward(Cuda device, Form form, const char* name, std::int64_t rows, std::int64_t n, const T* y, const T* dy,
              T* dx) {
  if (n <= packs_of_lane * warp_lanes * Width)
    launch(device, {name, {rows, n}, grid_size(ceil_div(rows, rows_of_block)), rows_of_block * warp_lanes},
           softmax_backward_warp_kernel<Width, T>, form, rows, static_cast<int>(n), y, dy, dx);
  else
    launch(device, {name, {rows, n}, grid_size(rows), threads_of_row}, softmax_backward_block_kernel<Width, T>, form, n,
           y, dy, dx);
}

template <class T>
void forward(Cuda device, Form form, const char* name, std::int64_t rows, std::int64_t n, const T* x, T* y) {
  if (rows == 0 || n == 0) return;
  dispatch_width<quad_width<T>>({{x, n}, {y, n}},
                                [&]<int Width>() { forward<Width>(device, form, name, rows, n, x, y); });
}

template <class T>
void backward(Cuda device, Form form, const char* name, std::int64_t rows, std::int64_t n, const T* y, const T* dy,
              T* dx) {
  if (rows == 0 || n == 0) return;
  dispatch_width<quad_width<T>>({{y, n}, {dy, n}, {dx, n}},
                                [&]<int Width>() { backward<Width>(device, form, name, rows, n, y, dy, dx); });
}

}  // namespace

template <class T>
void softmax_forward(Cuda device, std::int64_t rows, std::int64_t n, const T* x, T* y) {
  forward(device, Form::softmax, "softmax_forward", rows, n, x, y);
}

template <class T>
void softmax_backward(Cuda device, std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx) {
  backward(device, Form::softmax, "softmax_backward", rows, n, y, dy, dx);
}

template <class T>
void log_softmax_forward(Cuda device, std::int64_t rows, std::int64_t n, const T* x, T* y) {
  forward(device, Form::log_softmax, "log_softmax_forward", rows, n, x, y);
}

template <class T>
void log_softmax_backward(Cuda device, std::int64_t rows, std::int64_t n, const T* y, const T* dy, T* dx) {
  backward(device, Form::log_softmax, "log_softmax_backward", rows, n, y, dy, dx);
}

GLIMPSE_SOFTMAX_KERNELS(Cuda, float)
GLIMPSE_SOFTMAX_KERNELS(Cuda, double)
GLIMPSE_SOFTMAX_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
