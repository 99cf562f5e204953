#pragma once
// A matrix laid out for products with few rows.

#include <cstdint>

#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/tensor.h"
#include "glimpse/kernels/packed_gemm.h"

namespace glimpse {

/// Rows and columns (k,n), in pooled memory.
template <class Device, class T>
struct PackedMatrix {
  Device device;
  std::int64_t k, n;
  Tensor memory;

  PackedMatrix(Device d, std::int64_t rows, std::int64_t columns, kernels::Operand<T> matrix)
      : device(d),
        k(rows),
        n(columns),
        memory(empty({kernels::packed_size<T>(d, rows, columns)}, dtype_of<T>, device_of(d))) {
    kernels::pack<T>(device, k, n, matrix, memory.data<T>());
  }
  /// c (m,n) = a (m,k) times the matrix, or added to c.
  void multiply(std::int64_t m, const T* a, T* c) const { product(m, a, false, c); }
  void add_product(std::int64_t m, const T* a, T* c) const { product(m, a, true, c); }

 private:
  void product(std::int64_t m, const T* a, bool accumulate, T* c) const {
    kernels::packed_gemm<T>(device, m, n, k, a, memory.data<T>(), accumulate, c);
  }
};

}  // namespace glimpse
