// An operation of one's own, outside Glimpse: y = x / (1 + |x|), with its gradient, proven against finite differences.
#include <glimpse/engine/engine.h>
#include <glimpse/kernels/base/parallel.h>
#include <cmath>
#include <cstdio>

using namespace glimpse;

// The kernels: raw pointers, sizes and a device. n elements; dx = dy / (1 + |x|)^2.
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

// The operation: runs the forward kernel, and remembers how to go back. `sign` is 1; with -1 the gradient is wrong.
Tensor softsign(const Tensor& x, double sign = 1) {
  const Tensor y = empty_like(x);
  on_cpu("softsign", x, [&]<class T>(auto device) { softsign_forward(device, x.numel(), x.data<T>(), y.data<T>()); });
  return differentiable("softsign", y, {x}, [x = x.detach(), sign](const Tensor& dy) {
    const Tensor dx = empty_like(dy);
    on_cpu("softsign", dy, [&]<class T>(auto device) {
      softsign_backward(device, x.numel(), x.data<T>(), dy.data<T>(), dx.data<T>());
    });
    return dx * sign;
  });
}

int main() {
  const Tensor x = from_vector(std::vector<double>{-3, -0.5, 0.25, 1, 40}).set_requires_grad();
  gradcheck([](const std::vector<Tensor>& in) { return softsign(in[0]); }, {x});
  std::printf("softsign: gradients agree with finite differences\n");
  try {
    gradcheck([](const std::vector<Tensor>& in) { return softsign(in[0], -1); }, {x});
  } catch (const Error& e) {
    std::printf("with the wrong sign: %s\n", e.what());
    return 0;
  }
  std::printf("a wrong sign was not noticed\n");
  return 1;
}
