#include "glimpse/kernels/bf16_gemm.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/internal/bf16_tiles.h"
#include "glimpse/kernels/internal/bf16_units.h"

// All of B and blocks of rows of A are laid out as tiles, which costs little beside the products. Threads share out
// pairs of B's columns of tiles; such a pair stays in the cache while the rows of A pass by.

namespace glimpse::kernels {
namespace {

using namespace bf16_tiles;

constexpr std::int64_t block_m = 512;  // rows of A that are laid out at a time

std::atomic<Bf16Unit>& unit() {
  static std::atomic<Bf16Unit> value = best_bf16_unit();
  return value;
}

/// Memory of this thread for tiles, aligned for the matrix unit; valid until the next call for the same purpose.
template <int Purpose>
std::uint32_t* scratch(std::int64_t size) {
  struct Memory {
    std::unique_ptr<std::uint32_t[], void (*)(std::uint32_t*)> data{nullptr, [](std::uint32_t* p) { std::free(p); }};
    std::int64_t size = 0;
  };
  thread_local Memory memory;
  if (memory.size < size) {
    memory.size = 0;
    memory.data.reset(static_cast<std::uint32_t*>(std::aligned_alloc(64, static_cast<std::size_t>(size) * 4)));
    if (!memory.data) throw std::bad_alloc();
    memory.size = size;
  }
  return memory.data.get();
}

void pack_b(std::int64_t k, std::int64_t n, const Operand<float>& b, std::uint32_t* packed) {
  const std::int64_t deep = count(k, depth);
  vector_for(count(n, side), 2, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t)
      pack(b.data, b.transposed ? b.stride : 1, b.transposed ? 1 : b.stride, t * side, n, k, true,
           packed + t * deep * tile);
  });
}

void pack_a(std::int64_t m, std::int64_t k, const Operand<float>& a, std::uint32_t* packed) {
  const std::int64_t deep = count(k, depth);
  vector_for(count(m, side), 2, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t)
      pack(a.data, a.transposed ? 1 : a.stride, a.transposed ? a.stride : 1, t * side, m, k, false,
           packed + t * deep * tile);
  });
}

struct Scaling {
  float alpha, beta;
};

/// The sums of up to 2 x 2 tiles, as multiply_tiles leaves them, into C: m rows and n columns.
void store(const float* sums, std::int64_t m, std::int64_t n, Scaling s, float* c, std::int64_t ldc) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j0 = 0; j0 < n; j0 += side) {
      const float* from = sums + (i / side * 2 + j0 / side) * side * side + i % side * side;
      float* to = c + i * ldc + j0;
      const std::int64_t columns = std::min(side, n - j0);
      if (s.beta == 0)
        for (std::int64_t j = 0; j < columns; ++j) to[j] = s.alpha * from[j];
      else
        for (std::int64_t j = 0; j < columns; ++j) to[j] = s.alpha * from[j] + s.beta * to[j];
    }
}

/// C (m,n) from tiles of A and B.
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, const std::uint32_t* a, const std::uint32_t* b,
              Scaling scaling, float* c, std::int64_t ldc) {
  const std::int64_t deep = count(k, depth), strip = deep * tile, across = count(n, 2 * side);
  const bool amx = unit() == Bf16Unit::amx;
  parallel_for(across, 1, [=](std::int64_t begin, std::int64_t end) {
    const MatrixUnit matrix_unit(amx);
    alignas(64) float sums[4 * side * side];
    for (std::int64_t t = begin; t < end; ++t)
      for (std::int64_t i = 0; i < m; i += 2 * side) {
        const std::int64_t rows = std::min(2 * side, m - i), columns = std::min(2 * side, n - t * 2 * side);
        matrix_unit.multiply(deep, a + i / side * strip, rows, b + t * 2 * strip, columns, sums);
        with_vectors([&] { store(sums, rows, columns, scaling, c + i * ldc + t * 2 * side, ldc); });
      }
  });
}

void check_unit() {
  check(bf16_unit() != Bf16Unit::none, "bf16 products: this processor has neither AMX-BF16 nor AVX512-BF16");
}

}  // namespace

Bf16Unit bf16_unit() { return vector_bits() < 512 ? Bf16Unit::none : unit().load(); }

bool bf16_is_quicker() {
  const Bf16Unit best = bf16_unit();
  return best == Bf16Unit::amx || (best == Bf16Unit::avx512 && made_by_amd());
}

void limit_bf16_unit(Bf16Unit limit) { unit() = std::min(best_bf16_unit(), limit); }

void bf16_gemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, Operand<float> a, Operand<float> b,
               float beta, float* c, std::int64_t ldc) {
  check_unit();
  const std::int64_t deep = count(k, depth);
  std::uint32_t* const packed_b = scratch<0>(count(n, 2 * side) * 2 * deep * tile);
  pack_b(k, n, b, packed_b);
  std::uint32_t* const packed_a = scratch<1>(count(std::min(m, block_m), 2 * side) * 2 * deep * tile);
  for (std::int64_t i = 0; i < m; i += block_m) {
    const std::int64_t rows = std::min(block_m, m - i);
    pack_a(rows, k, {a.data + i * (a.transposed ? 1 : a.stride), a.stride, a.transposed}, packed_a);
    multiply(rows, n, k, packed_a, packed_b, {alpha, beta}, c + i * ldc, ldc);
  }
}

std::int64_t bf16_packed_size(std::int64_t k, std::int64_t n) {
  return count(n, 2 * side) * 2 * count(k, depth) * tile;
}

void bf16_pack(std::int64_t k, std::int64_t n, Operand<float> b, float* packed) {
  check_unit();
  pack_b(k, n, b, reinterpret_cast<std::uint32_t*>(packed));
}

void bf16_packed_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* packed,
                      bool accumulate, float* c) {
  check_unit();
  const std::int64_t deep = count(k, depth);
  std::uint32_t* const packed_a = scratch<1>(count(std::min(m, block_m), 2 * side) * 2 * deep * tile);
  for (std::int64_t i = 0; i < m; i += block_m) {
    const std::int64_t rows = std::min(block_m, m - i);
    pack_a(rows, k, {a + i * k, k}, packed_a);
    multiply(rows, n, k, packed_a, reinterpret_cast<const std::uint32_t*>(packed), {1, accumulate ? 1.0f : 0.0f},
             c + i * n, n);
  }
}

}  // namespace glimpse::kernels
