#include "glimpse/kernels/embedding.h"

#include <algorithm>
#include <vector>

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

std::int64_t row_grain(std::int64_t width) {
  return std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(width, 1));
}

}  // namespace

std::int64_t find_outside(Cpu, std::int64_t n, const std::int32_t* index, std::int64_t limit, std::int64_t allowed) {
  for (std::int64_t i = 0; i < n; ++i)
    if ((index[i] < 0 || index[i] >= limit) && index[i] != allowed) return i;
  return -1;
}

template <class T>
void gather_rows(Cpu, std::int64_t n, std::int64_t width, const T* x, const std::int32_t* index, T* y) {
  vector_for(n, row_grain(width), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) std::copy_n(x + index[i] * width, width, y + i * width);
  });
}

template <class From>
void gather_as_float(Cpu, std::int64_t n, std::int64_t width, const From* x, const std::int32_t* index, float* y) {
  vector_for(n, row_grain(width), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const From* from = x + index[i] * width;
      float* to = y + i * width;
#pragma omp simd
      for (std::int64_t j = 0; j < width; ++j) to[j] = static_cast<float>(from[j]);
    }
  });
}

template <class T>
void sum_rows_by_index(Cpu, std::int64_t rows, std::int64_t n, std::int64_t width, const T* dy,
                       const std::int32_t* index, T* dx) {
  // The positions of each row, by counting sort: those of row r are order[first[r]] .. order[first[r + 1] - 1].
  std::vector<std::int64_t> first(static_cast<std::size_t>(rows) + 1, 0), order(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) ++first[static_cast<std::size_t>(index[i]) + 1];
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) first[r + 1] += first[r];
  std::vector<std::int64_t> next(first.begin(), first.end() - 1);
  for (std::int64_t i = 0; i < n; ++i) order[next[static_cast<std::size_t>(index[i])]++] = i;

  vector_for(rows, row_grain(width), [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t block = 128;
    double sum[block];
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t* from = order.data() + first[r];
      const std::int64_t* to = order.data() + first[static_cast<std::size_t>(r) + 1];
      if (to - from <= 1) {  // most words of a vocabulary
        if (from == to)
          std::fill_n(dx + r * width, width, T(0));
        else
          std::copy_n(dy + *from * width, width, dx + r * width);
        continue;
      }
      for (std::int64_t j = 0; j < width; j += block) {
        const std::int64_t m = std::min(block, width - j);
        std::fill_n(sum, m, 0.0);
        for (const std::int64_t* i = from; i < to; ++i)
#pragma omp simd
          for (std::int64_t c = 0; c < m; ++c) sum[c] += static_cast<double>(dy[*i * width + j + c]);
        for (std::int64_t c = 0; c < m; ++c) dx[r * width + j + c] = static_cast<T>(sum[c]);
      }
    }
  });
}

GLIMPSE_EMBEDDING_KERNELS(Cpu, float)
GLIMPSE_EMBEDDING_KERNELS(Cpu, double)
GLIMPSE_GATHER_AS_FLOAT_KERNELS(Cpu, float)
GLIMPSE_GATHER_AS_FLOAT_KERNELS(Cpu, f16)

}  // namespace glimpse::kernels
