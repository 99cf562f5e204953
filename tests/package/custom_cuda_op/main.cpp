// An operation of one's own with a kernel for the GPU, outside Glimpse: its gradient is proven on the CPU against
// finite differences, and the device's results and gradients against those of the CPU.
#include <glimpse/engine/engine.h>
#include <glimpse/kernels/base/parallel.h>
#include <glimpse/kernels/cuda/runtime.h>
#include <cmath>
#include <cstdio>

#include "softsign.h"

using namespace glimpse;

namespace own {

template <class T>
void softsign_forward(kernels::Cpu, std::int64_t n, const T* x, T* y) {
  kernels::parallel_for(n, 4096, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] / (1 + std::abs(x[i]));
  });
}
template <class T>
void softsign_backward(kernels::Cpu, std::int64_t n, const T* x, const T* dy, T* dx) {
  kernels::parallel_for(n, 4096, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) dx[i] = dy[i] / ((1 + std::abs(x[i])) * (1 + std::abs(x[i])));
  });
}

}  // namespace own

/// The operation: on() chooses the kernel by the tensor's device and type.
Tensor softsign(const Tensor& x) {
  const Tensor y = empty_like(x);
  on(x, [&]<class T>(auto device) { own::softsign_forward(device, x.numel(), x.data<T>(), y.data<T>()); });
  return differentiable("softsign", y, {x}, [x = x.detach()](const Tensor& dy) {
    const Tensor dx = empty_like(dy);
    on(dy, [&]<class T>(auto device) {
      own::softsign_backward(device, x.numel(), x.data<T>(), dy.data<T>(), dx.data<T>());
    });
    return dx;
  });
}

/// The largest difference between the device and the CPU among n results and gradients.
double largest_difference(std::int64_t n) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < n; ++i) values.push_back(static_cast<float>(i % 37) / 4 - 4.3f);
  std::vector<std::vector<float>> found;
  for (const Device device : {Device::cpu, Device::cuda}) {
    const Tensor x = from_vector(values).to(device).set_requires_grad();
    const Tensor y = softsign(x);
    sum(y * y).backward();
    for (const Tensor& result : {y.detach(), x.grad()}) {
      const Tensor here = result.to(Device::cpu);
      found.emplace_back(here.data<float>(), here.data<float>() + n);
    }
  }
  double largest = 0;
  for (std::size_t which = 0; which < 2; ++which)
    for (std::size_t i = 0; i < values.size(); ++i)
      largest = std::max(largest, std::abs(double{found[which][i]} - double{found[which + 2][i]}));
  return largest;
}

int main() {
  const Tensor x = from_vector(std::vector<double>{-3, -0.5, 0.25, 1, 40}).set_requires_grad();
  gradcheck([](const std::vector<Tensor>& in) { return softsign(in[0]); }, {x});
  std::printf("softsign: gradients agree with finite differences\n");
  if (!cuda::available()) {
    std::printf("no device: %s\n", cuda::why_unavailable().c_str());
    return 0;
  }
  use_device(Device::cuda);
  for (const std::int64_t n : {1, 31, 32, 33, 1000}) {
    const double difference = largest_difference(n);
    std::printf("softsign (%d): device and CPU differ by %g\n", static_cast<int>(n), difference);
    if (difference > 1e-6) return 1;
  }
  return 0;
}
