// Copies that change the order of elements. The type only matters by its size.
//
// permute: dimensions that stay together are merged on the host. When the innermost dimension of the result is also
// consecutive in x, threads simply read what belongs at their place. When another one is (a transpose), tiles of 32 x
// 32 elements go through shared memory, so that both sides are read and written 32 neighbours at a time; the tile's
// rows are 33 apart, so that a column of it lies in 32 different banks. copy_rows moves 16 bytes a thread where rows
// allow it.
//
// Bytes: each element once in, once out. No arithmetic but indices: up to five 32-bit divisions an element.

#include "glimpse/kernels/layout.h"

#include "glimpse/kernels/cuda/helpers.cuh"
#include "glimpse/kernels/internal/dimensions.h"

namespace glimpse::kernels {
namespace {

constexpr unsigned threads = 256;
constexpr int tile = 32, rows_at_once = threads / tile;
constexpr int most_dimensions = Dimensions<1>::most;

/// A StridedView of less than 2^31 elements, innermost dimension first.
struct SmallView {
  int rank = 0;
  unsigned sizes[most_dimensions] = {};
  std::int64_t strides[most_dimensions] = {};
};

/// y[i] = x[where the view has element i].
template <class Word>
__global__ void __launch_bounds__(threads, 4) permute_kernel(SmallView view, std::int64_t n, const Word* x, Word* y) {
  for (const std::int64_t i : grid_stride(n)) {
    unsigned rest = static_cast<unsigned>(i);
    std::int64_t at = 0;
#pragma unroll
    for (int d = 0; d < most_dimensions; ++d) {
      if (d == view.rank) break;
      const unsigned next = rest / view.sizes[d];
      at += (rest - next * view.sizes[d]) * view.strides[d];
      rest = next;
    }
    y[i] = x[at];
  }
}

/// As permute_kernel, where x is consecutive along dimension `along`, which is not dimension 0. A block moves one tile
/// of dimensions 0 and `along`; y_stride is what `along` has in y. The blocks count tiles of `along`, of dimension 0,
/// and then the `others`, all the other dimensions, whose strides in y are y_strides.
template <class Word>
__global__ void __launch_bounds__(threads)
    transpose_kernel(unsigned columns, std::int64_t x_stride, unsigned rows, std::int64_t y_stride, SmallView others,
                     SmallView others_of_y, const Word* x, Word* y) {
  SHARED(Word, block, [tile][tile + 1]);
  const unsigned row_tiles = (rows + tile - 1) / tile, column_tiles = (columns + tile - 1) / tile;
  const unsigned row = blockIdx.x % row_tiles * tile, column = blockIdx.x / row_tiles % column_tiles * tile;
  unsigned rest = blockIdx.x / row_tiles / column_tiles;
#pragma unroll
  for (int d = 0; d < most_dimensions - 2; ++d) {
    if (d == others.rank) break;
    const unsigned next = rest / others.sizes[d], index = rest - next * others.sizes[d];
    x += index * others.strides[d];
    y += index * others_of_y.strides[d];
    rest = next;
  }
  const unsigned lane = static_cast<unsigned>(lane_index()), warp = static_cast<unsigned>(warp_index());
  for (unsigned j = warp; j < tile; j += rows_at_once)
    if (column + j < columns && row + lane < rows) block[j][lane] = x[(column + j) * x_stride + row + lane];
  __syncthreads();
  for (unsigned i = warp; i < tile; i += rows_at_once)
    if (row + i < rows && column + lane < columns) y[(row + i) * y_stride + column + lane] = block[lane][i];
}

/// Rows of `words` elements, x_stride and y_stride of them apart.
template <class Word>
__global__ void __launch_bounds__(threads, 4) copy_rows_kernel(std::int64_t n, unsigned words, std::int64_t x_stride,
                                                               const Word* x, std::int64_t y_stride, Word* y) {
  for (const std::int64_t i : grid_stride(n)) {
    const unsigned row = static_cast<unsigned>(i) / words, word = static_cast<unsigned>(i) - row * words;
    y[row * y_stride + word] = x[row * x_stride + word];
  }
}

SmallView merged(const StridedView& view) {
  Dimensions<1> dimensions;
  for (int d = view.rank - 1; d >= 0; --d) dimensions.add(view.sizes[d], view.strides[d]);
  SmallView m;
  m.rank = dimensions.rank;
  for (int d = 0; d < m.rank; ++d) {
    m.sizes[d] = static_cast<unsigned>(dimensions.sizes[d]);
    m.strides[d] = dimensions.strides[0][d];
  }
  return m;
}

std::int64_t elements(const StridedView& view) {
  std::int64_t n = 1;
  for (int d = 0; d < view.rank; ++d) n *= view.sizes[d];
  return n;
}

template <class Word>
void transpose(Cuda device, std::int64_t n, const SmallView& m, int along, const Word* x, Word* y) {
  SmallView others, others_of_y;
  std::int64_t y_stride = 1, stride_of_along = 1;
  for (int d = 0; d < m.rank; ++d) {
    if (d == along) stride_of_along = y_stride;
    if (d != 0 && d != along) {
      others.sizes[others.rank] = m.sizes[d];
      others.strides[others.rank] = m.strides[d];
      others_of_y.strides[others.rank++] = y_stride;
    }
    y_stride *= m.sizes[d];
  }
  const std::int64_t tiles = ceil_div(m.sizes[along], tile) * ceil_div(m.sizes[0], tile);
  const std::int64_t blocks = tiles * (n / (std::int64_t{m.sizes[0]} * m.sizes[along]));
  launch(device, {"permute", {n}, grid_size(blocks), threads}, transpose_kernel<Word>, m.sizes[0], m.strides[0],
         m.sizes[along], stride_of_along, others, others_of_y, x, y);
}

template <class Word>
void permute_words(Cuda device, const StridedView& view, const Word* x, Word* y) {
  const std::int64_t n = elements(view);
  if (n == 0) return;
  if (n > cuda::most_indexed() && view.rank > 1) {  // one slice of the outermost dimension at a time
    StridedView slice = view;
    --slice.rank;
    std::copy_n(view.sizes + 1, slice.rank, slice.sizes);
    std::copy_n(view.strides + 1, slice.rank, slice.strides);
    for (std::int64_t i = 0; i < view.sizes[0]; ++i)
      permute_words(device, slice, x + i * view.strides[0], y + i * (n / view.sizes[0]));
    return;
  }
  const SmallView m = merged(view);
  if (m.strides[0] != 1)
    for (int d = 1; d < m.rank; ++d)
      if (m.strides[d] == 1) return transpose(device, n, m, d, x, y);
  launch(device, {"permute", {n}, grid_for(n, threads), threads}, permute_kernel<Word>, m, n, x, y);
}

template <class Word>
void copy_row_words(Cuda device, std::int64_t rows, std::int64_t words, std::int64_t x_stride, const void* x,
                    std::int64_t y_stride, void* y) {
  const Word* from = static_cast<const Word*>(x);
  Word* to = static_cast<Word*>(y);
  if (words > cuda::most_indexed())
    throw Error("copy_rows: rows of " + std::to_string(words) + " elements are too long");
  const std::int64_t rows_at_a_time = cuda::most_indexed() / words;
  for (std::int64_t row = 0; row < rows; row += rows_at_a_time) {
    const std::int64_t n = std::min(rows_at_a_time, rows - row) * words;
    launch(device, {"copy_rows", {rows, words}, grid_for(n, threads), threads}, copy_rows_kernel<Word>, n,
           static_cast<unsigned>(words), x_stride, from + row * x_stride, y_stride, to + row * y_stride);
  }
}

template <std::size_t Bytes>
using WordOf =
    std::conditional_t<Bytes == 2, std::uint16_t, std::conditional_t<Bytes == 4, std::uint32_t, std::uint64_t>>;

}  // namespace

template <class T>
void permute(Cuda device, const StridedView& view, const T* x, T* y) {
  using Word = WordOf<sizeof(T)>;
  permute_words(device, view, reinterpret_cast<const Word*>(x), reinterpret_cast<Word*>(y));
}

template <class T>
void copy_rows(Cuda device, std::int64_t rows, std::int64_t width, std::int64_t x_stride, const T* x,
               std::int64_t y_stride, T* y) {
  if (rows == 0 || width == 0) return;
  constexpr int whole = 16 / static_cast<int>(sizeof(T));
  dispatch_width<whole>({{x, width}, {x, x_stride}, {y, y_stride}}, [&]<int Width>() {
    using Word = std::conditional_t<Width == 1, WordOf<sizeof(T)>, uint4>;
    copy_row_words<Word>(device, rows, width / Width, x_stride / Width, x, y_stride / Width, y);
  });
}

GLIMPSE_LAYOUT_KERNELS(Cuda, float)
GLIMPSE_LAYOUT_KERNELS(Cuda, double)
GLIMPSE_LAYOUT_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
