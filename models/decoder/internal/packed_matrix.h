#pragma once
// A matrix that many left factors of few rows are multiplied by.

#include <cstdint>
#include <type_traits>

#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/tensor.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/kernels/packed_gemm.h"

namespace glimpse {

/// Rows and columns (k,n). The CPU lays it out once for its products; a GPU multiplies by it where it lies.
template <class Device, class T>
struct PackedMatrix {
  Device device;
  std::int64_t k, n;
  kernels::Operand<T> matrix;
  Tensor memory;  // on the CPU

  PackedMatrix(Device d, std::int64_t rows, std::int64_t columns, kernels::Operand<T> given)
      : device(d), k(rows), n(columns), matrix(given) {
    if constexpr (std::is_same_v<Device, kernels::Cpu>) {
      memory = empty({kernels::packed_size<T>(d, rows, columns)}, dtype_of<T>);
      kernels::pack<T>(d, k, n, matrix, memory.data<T>());
    }
  }
  /// c (m,n) = a (m,k) times the matrix, or added to c. Rows of `a` lie next to each other; on a GPU `stride` apart,
  /// where it is given.
  void multiply(std::int64_t m, const T* a, T* c, std::int64_t stride = 0) const { product(m, a, false, c, stride); }
  void add_product(std::int64_t m, const T* a, T* c, std::int64_t stride = 0) const { product(m, a, true, c, stride); }

 private:
  void product(std::int64_t m, const T* a, bool accumulate, T* c, [[maybe_unused]] std::int64_t stride) const {
    if constexpr (std::is_same_v<Device, kernels::Cpu>)
      kernels::packed_gemm<T>(device, m, n, k, a, memory.data<T>(), accumulate, c);
    else
      kernels::gemm<T>(device, m, n, k, T(1), {a, stride > 0 ? stride : k}, matrix, accumulate ? T(1) : T(0), c, n);
  }
};

}  // namespace glimpse
