// Element-wise functions of one and two arrays, from the functors that the CPU uses.
//
// Every thread reads and writes 16 bytes at a time and goes on by grid strides; what is left over at the end of the
// arrays, and arrays that are not aligned, go one element at a time in the same launch. With broadcasting, dimensions
// that lie together in both operands are first merged on the host, so that few divisions remain, and a thread does them
// once for its 16 bytes.
//
// Bytes: map 2 n sizeof(T), map_gradient 3 n sizeof(T), zip 3 n sizeof(T), less where an operand repeats itself.
// Operations: one to about 20 per element, so memory is the limit. f16 and bf16 are not computed in: bf16 is widened to
// f32.

#include "glimpse/kernels/elementwise.h"

#include "glimpse/kernels/cuda/helpers.cuh"
#include "glimpse/kernels/internal/dimensions.h"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;

/// y[i] = f.apply(x[i]) for i < n; the first `packs` packs can be read at once.
template <class F, class T>
__global__ void __launch_bounds__(threads, 4) map_kernel(F f, std::int64_t packs, std::int64_t n, const T* x, T* y) {
  constexpr int width = pack_width<T>;
  for (const std::int64_t p : grid_stride(packs)) {
    Pack<T, width> pack = load<width>(x + p * width);
#pragma unroll
    for (int j = 0; j < width; ++j) pack.v[j] = narrow<T>(f.apply(widen(pack.v[j])));
    store(y + p * width, pack);
  }
  for (const std::int64_t i : grid_stride(n - packs * width)) {
    const std::int64_t at = packs * width + i;
    y[at] = narrow<T>(f.apply(widen(x[at])));
  }
}

/// c[i] = f(a[i], b[i]), as map_kernel.
template <class F, class T>
__global__ void zip_kernel(F f, std::int64_t packs, std::int64_t n, const T* a, const T* b, T* c) {
  constexpr int width = pack_width<T>;
  for (const std::int64_t p : grid_stride(packs)) {
    Pack<T, width> left = load<width>(a + p * width);
    const Pack<T, width> right = load<width>(b + p * width);
#pragma unroll
    for (int j = 0; j < width; ++j) left.v[j] = narrow<T>(f(widen(left.v[j]), widen(right.v[j])));
    store(c + p * width, left);
  }
  for (const std::int64_t i : grid_stride(n - packs * width)) {
    const std::int64_t at = packs * width + i;
    c[at] = narrow<T>(f(widen(a[at]), widen(b[at])));
  }
}

/// The two-argument functions of zip_kernel.
template <class F>
struct Apply {
  F f;
  template <class A>
  __device__ __forceinline__ A operator()(A a, A b) const {
    return f.apply(a, b);
  }
};
template <class F>
struct Gradient {
  F f;
  template <class A>
  __device__ __forceinline__ A operator()(A saved, A dy) const {
    return f.gradient(saved, dy);
  }
};

/// A broadcast of less than 2^31 elements in all; sizes and strides innermost first, counted in packs of `Width` where
/// they are of the innermost dimension.
constexpr int most_dimensions = Dimensions<2>::most;
struct SmallBroadcast {
  int rank = 0;
  unsigned sizes[most_dimensions] = {};
  std::int64_t a_strides[most_dimensions] = {}, b_strides[most_dimensions] = {};
};

template <int Width, class T>
__device__ __forceinline__ Pack<T, Width> load_or_repeat(const T* p, std::int64_t inner_stride) {
  if constexpr (Width > 1)
    if (inner_stride != 0) return load<Width>(p);
  Pack<T, Width> pack;
#pragma unroll
  for (int j = 0; j < Width; ++j) pack.v[j] = *p;
  return pack;
}

template <int Width, class F, class T>
__global__ void zip_broadcast_kernel(F f, SmallBroadcast shape, std::int64_t packs, const T* a, const T* b, T* y) {
  for (const std::int64_t p : grid_stride(packs)) {
    unsigned rest = static_cast<unsigned>(p);
    std::int64_t a_at = 0, b_at = 0;
#pragma unroll
    for (int d = 0; d < most_dimensions; ++d) {
      if (d == shape.rank) break;
      const unsigned next = rest / shape.sizes[d], index = rest - next * shape.sizes[d];
      rest = next;
      a_at += index * shape.a_strides[d];
      b_at += index * shape.b_strides[d];
    }
    Pack<T, Width> left = load_or_repeat<Width>(a + a_at, shape.a_strides[0]);
    const Pack<T, Width> right = load_or_repeat<Width>(b + b_at, shape.b_strides[0]);
#pragma unroll
    for (int j = 0; j < Width; ++j) left.v[j] = narrow<T>(f.apply(widen(left.v[j]), widen(right.v[j])));
    store(y + p * Width, left);
  }
}

std::int64_t elements(const Broadcast& shape) {
  std::int64_t n = 1;
  for (int d = 0; d < shape.rank; ++d) n *= shape.sizes[d];
  return n;
}

SmallBroadcast merged(const Broadcast& shape) {
  Dimensions<2> dimensions;
  for (int d = shape.rank - 1; d >= 0; --d) dimensions.add(shape.sizes[d], shape.a_strides[d], shape.b_strides[d]);
  SmallBroadcast m;
  m.rank = dimensions.rank;
  for (int d = 0; d < m.rank; ++d) {
    m.sizes[d] = static_cast<unsigned>(dimensions.sizes[d]);
    m.a_strides[d] = dimensions.strides[0][d];
    m.b_strides[d] = dimensions.strides[1][d];
  }
  return m;
}

/// Whether an operand can be read N elements at a time along the innermost dimension, or repeats one along it.
template <int N, class T>
bool operand_in_packs(const SmallBroadcast& m, const std::int64_t* strides, const T* p) {
  if (strides[0] == 0) return true;
  if (strides[0] != 1 || !in_packs<N>({p})) return false;
  return std::all_of(strides + 1, strides + m.rank, [](std::int64_t stride) { return stride % N == 0; });
}

template <class F, class T>
void zip_same(Cuda device, const char* name, F f, std::int64_t n, const T* a, const T* b, T* c) {
  if (n == 0) return;
  const std::int64_t packs = whole_packs<pack_width<T>>(n, {a, b, c});
  launch(device, {name, {n}, grid_for(packs ? packs : n, threads), threads}, zip_kernel<F, T>, f, packs, n, a, b, c);
}

}  // namespace

template <class F, class T>
void map(Cuda device, F f, std::int64_t n, const T* x, T* y) {
  if (n == 0) return;
  const std::int64_t packs = whole_packs<pack_width<T>>(n, {x, y});
  launch(device, {"map", {n}, grid_for(packs ? packs : n, threads), threads}, map_kernel<F, T>, f, packs, n, x, y);
}

template <class F, class T>
void map_gradient(Cuda device, F f, std::int64_t n, const T* saved, const T* dy, T* dx) {
  zip_same(device, "map_gradient", Gradient<F>{f}, n, saved, dy, dx);
}

template <class F, class T>
void zip(Cuda device, F f, const Broadcast& shape, const T* a, const T* b, T* y) {
  const std::int64_t n = elements(shape);
  if (n == 0) return;
  if (n > cuda::most_indexed() && shape.rank > 1) {  // one slice of the outermost dimension at a time
    Broadcast slice = shape;
    --slice.rank;
    std::copy_n(shape.sizes + 1, slice.rank, slice.sizes);
    std::copy_n(shape.a_strides + 1, slice.rank, slice.a_strides);
    std::copy_n(shape.b_strides + 1, slice.rank, slice.b_strides);
    for (std::int64_t i = 0; i < shape.sizes[0]; ++i)
      zip(device, f, slice, a + i * shape.a_strides[0], b + i * shape.b_strides[0], y + i * (n / shape.sizes[0]));
    return;
  }
  SmallBroadcast m = merged(shape);
  if (m.rank == 0 || (m.rank == 1 && m.a_strides[0] == 1 && m.b_strides[0] == 1))
    return zip_same(device, "zip", Apply<F>{f}, n, a, b, y);
  constexpr int width = pack_width<T>;
  if (!in_packs<width>({{y, m.sizes[0]}}) || !operand_in_packs<width>(m, m.a_strides, a) ||
      !operand_in_packs<width>(m, m.b_strides, b)) {
    launch(device, {"zip", {n}, grid_for(n, threads), threads}, zip_broadcast_kernel<1, F, T>, f, m, n, a, b, y);
    return;
  }
  m.sizes[0] /= width;  // from here on in packs
  if (m.a_strides[0]) m.a_strides[0] = width;
  if (m.b_strides[0]) m.b_strides[0] = width;
  launch(device, {"zip", {n}, grid_for(n / width, threads), threads}, zip_broadcast_kernel<width, F, T>, f, m,
         n / width, a, b, y);
}

GLIMPSE_ELEMENTWISE_KERNELS(Cuda, float)
GLIMPSE_ELEMENTWISE_KERNELS(Cuda, double)
GLIMPSE_ELEMENTWISE_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
