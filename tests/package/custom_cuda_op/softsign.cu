// One thread an element, by grid strides. The same file is compiled by nvcc for a GPU and by g++ for the emulator.
//
// Bytes: forward 2 n sizeof(T), backward 3 n sizeof(T). Operations: about 10 an element, so memory is the limit.

#include "softsign.h"

#include <glimpse/kernels/cuda/helpers.cuh>

namespace own {

// In this namespace, not outside of it: nvcc adds code of its own there, in which exp() would be ambiguous.
using namespace glimpse::kernels;

namespace {

constexpr unsigned threads = 256;

template <class T>
__device__ T one_plus_magnitude(T x) {
  return T(1) + (x < T(0) ? -x : x);
}

template <class T>
__global__ void forward_kernel(std::int64_t n, const T* x, T* y) {
  for (const std::int64_t i : grid_stride(n)) y[i] = x[i] / one_plus_magnitude(x[i]);
}

template <class T>
__global__ void backward_kernel(std::int64_t n, const T* x, const T* dy, T* dx) {
  for (const std::int64_t i : grid_stride(n)) {
    const T d = one_plus_magnitude(x[i]);
    dx[i] = dy[i] / (d * d);
  }
}

}  // namespace

template <class T>
void softsign_forward(Cuda device, std::int64_t n, const T* x, T* y) {
  if (n > 0) launch(device, {"softsign", {n}, grid_for(n, threads), threads}, forward_kernel<T>, n, x, y);
}
template <class T>
void softsign_backward(Cuda device, std::int64_t n, const T* x, const T* dy, T* dx) {
  if (n > 0)
    launch(device, {"softsign backward", {n}, grid_for(n, threads), threads}, backward_kernel<T>, n, x, dy, dx);
}

template void softsign_forward(Cuda, std::int64_t, const float*, float*);
template void softsign_forward(Cuda, std::int64_t, const double*, double*);
template void softsign_backward(Cuda, std::int64_t, const float*, const float*, float*);
template void softsign_backward(Cuda, std::int64_t, const double*, const double*, double*);

}  // namespace own
