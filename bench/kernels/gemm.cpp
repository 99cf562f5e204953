// Matrix products, by the library that is built in.

#include "glimpse/kernels/gemm.h"

#include "glimpse/kernels/base/precision.h"
#include "suite.h"

namespace glimpse::bench {
namespace {

using kernels::MatmulPrecision;

struct Product {
  std::int64_t m, n, k;
};

/// y (m,n) = x (m,k) w^T with w (n,k), as a linear layer has them.
template <class Device, class T>
Subject product(Device device, T, const Product& s, MatmulPrecision precision, const Rotation& rotation) {
  const Cost cost = {static_cast<double>(s.m * s.k + s.n * s.k + s.m * s.n) * sizeof(T),
                     2.0 * static_cast<double>(s.m * s.n) * static_cast<double>(s.k),
                     std::is_same_v<T, bf16>              ? Unit::bf16
                     : precision == MatmulPrecision::tf32 ? Unit::tf32
                                                          : Unit::f32};
  const Lab lab(device, cost, rotation);
  const auto host_x = draw<T>(s.m * s.k, 1), host_w = draw<T>(s.n * s.k, 2);
  const auto x = lab.input(host_x), w = lab.input(host_w), y = lab.template output<T>(s.m * s.n);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::set_matmul_precision(precision);
            kernels::gemm<T>(device, s.m, s.n, s.k, 1, {x[set], s.k, false}, {w[set], s.k, true}, 0, y[set], s.n);
            kernels::set_matmul_precision(MatmulPrecision::f32);
          },
          [=] {
            auto truth = zeros(s.m * s.n);
            const auto wide_x = widened(host_x), wide_w = widened(host_w);
            kernels::gemm(Cpu{}, s.m, s.n, s.k, 1.0, kernels::Operand<double>{wide_x.data(), s.k, false},
                          kernels::Operand<double>{wide_w.data(), s.k, true}, 0.0, truth.data(), s.n);
            return y.error(truth);
          }};
}

void add_rows(Suite& suite) {
  // Gates of a step, keys of a batch, logits of a batch with a small and a large vocabulary.
  const std::vector<Product> shapes =
      suite.tiny() ? std::vector<Product>{{5, 33, 17}}
                   : std::vector<Product>{{64, 2048, 3072}, {12544, 512, 2048}, {755, 2541, 512}, {755, 9490, 512}};
  for (const Product& s : shapes) {
    const Sizes sizes = {{"m", s.m}, {"n", s.n}, {"k", s.k}};
    suite.add<float, bf16>("gemm", sizes, [=](auto device, auto type, const Rotation& rotation) {
      return product(device, type, s, MatmulPrecision::f32, rotation);
    });
    suite.add_for_cuda<float>("gemm_tf32", sizes, [=](auto device, auto type, const Rotation& rotation) {
      return product(device, type, s, MatmulPrecision::tf32, rotation);
    });
  }
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
