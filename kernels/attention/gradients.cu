// Additive attention, the gradients that are summed over all queries of an image: of the keys, of the score vector and
// of the features. They run once, after the steps of a caption, so that no step has to read and write them.
//
// A block takes a tile of locations of an image and a tile of columns; a thread keeps one pack of columns of each of
// the locations in registers while it goes through the queries, whose weights (descore or alpha) the block brings into
// shared memory 32 at a time.
//
// Bytes: keys 2 B L A sizeof(T) and 1/8 of that for the partial sums of dscore; features B L D sizeof(T) written; the
// queries come from the caches, once per tile of locations. Operations: keys about 12 B L A T with T queries an image
// (the limit for tanh), features 2 B L D T.

#include "glimpse/kernels/attention/parts.cuh"
#include "glimpse/kernels/reduce.h"

namespace glimpse::kernels {
namespace attention {
namespace {

constexpr unsigned column_threads = 128;
constexpr int rows_of_tile = 8;  // locations
constexpr int most_staged = 32;  // queries

/// Where a block works: image and group, first location, and the column of the thread.
struct Place {
  std::int64_t group, tile, tiles, first_location, column;
  template <int Width>
  __device__ __forceinline__ static Place of(std::int64_t locations, std::int64_t columns) {
    Place p;
    p.tiles = (locations + rows_of_tile - 1) / rows_of_tile;
    const std::int64_t column_tiles = (columns + column_threads * Width - 1) / (column_threads * Width);
    const std::int64_t block = blockIdx.x / column_tiles;
    p.column = (blockIdx.x % column_tiles * column_threads + threadIdx.x) * Width;
    p.group = block / p.tiles;
    p.tile = block % p.tiles;
    p.first_location = p.tile * rows_of_tile;
    return p;
  }
};

unsigned blocks_for(const AttentionShape& s, std::int64_t columns, int width) {
  return grid_size(s.groups * ceil_div(s.locations, rows_of_tile) *
                   ceil_div(columns, column_threads * static_cast<unsigned>(width)));
}

/// Weights (Q,L) of queries [first, first + count) of a group at the tile's locations, 0 beyond the last one.
template <class A>
__device__ __forceinline__ void stage_weights(const AttentionShape& s, const Group& group, const Place& place,
                                              std::int64_t first, int count, const A* weights,
                                              A (&staged)[most_staged][rows_of_tile]) {
  __syncthreads();  // the last ones have been used
  for (int i = static_cast<int>(threadIdx.x); i < count * rows_of_tile; i += column_threads) {
    const std::int64_t l = place.first_location + i % rows_of_tile;
    staged[i / rows_of_tile][i % rows_of_tile] =
        l < s.locations ? weights[group.row(first + i / rows_of_tile) * s.locations + l] : A(0);
  }
  __syncthreads();
}

/// dkeys (B,L,A); partial (B,tiles,A), the tile's part of the gradient of the score vector.
template <int Width, class Function, class T>
__global__ void __launch_bounds__(column_threads, 4)
    attention_backward_keys_kernel(AttentionShape s, AttentionInputs<T> in, const Accumulator<T>* descore, T* dkeys,
                                   Accumulator<T>* partial) {
  using A = Accumulator<T>;
  SHARED(A, weights, [most_staged][rows_of_tile]);
  const Place place = Place::of<Width>(s.locations, s.width);
  const Group group(s, place.group);
  const bool inside = place.column < s.width;
  const std::int64_t at = (group.image * s.locations + place.first_location) * s.width + place.column;
  const int locations = static_cast<int>(min(std::int64_t{rows_of_tile}, s.locations - place.first_location));
  Pack<T, Width> key[rows_of_tile];
  A sum[rows_of_tile][Width] = {}, score_sum[Width] = {};
#pragma unroll
  for (int l = 0; l < rows_of_tile; ++l)
    key[l] = inside && l < locations ? load<Width>(in.keys + at + l * s.width) : Pack<T, Width>{};
  for (std::int64_t first = 0; first < group.count; first += most_staged) {
    const int count = static_cast<int>(min(std::int64_t{most_staged}, group.count - first));
    stage_weights(s, group, place, first, count, descore, weights);
    if (!inside) continue;
    for (int j = 0; j < count; ++j) {
      const T* q = in.query + group.row(first + j) * in.query_stride + place.column;
      A query[Width];
#pragma unroll
      for (int i = 0; i < Width; ++i) query[i] = widen(q[i]);
#pragma unroll
      for (int l = 0; l < rows_of_tile; ++l) {
        const A d = weights[j][l];
#pragma unroll
        for (int i = 0; i < Width; ++i) {
          const A x = widen(key[l].v[i]) + query[i], y = Function::value(x);
          score_sum[i] += d * y;
          sum[l][i] += d * Function::slope(x, y);
        }
      }
    }
  }
  if (!inside) return;
#pragma unroll
  for (int l = 0; l < rows_of_tile; ++l) {
    if (l >= locations) break;
#pragma unroll
    for (int i = 0; i < Width; ++i) key[l].v[i] = narrow<T>(sum[l][i] * widen(in.score[place.column + i]));
    store(dkeys + at + l * s.width, key[l]);
  }
#pragma unroll
  for (int i = 0; i < Width; ++i)
    partial[(place.group * place.tiles + place.tile) * s.width + place.column + i] = score_sum[i];
}

/// dfeatures (B,L,D).
template <int Width, class T>
__global__ void __launch_bounds__(column_threads, 4)
    attention_backward_features_kernel(AttentionShape s, const Accumulator<T>* alpha, const T* dcontext, T* dfeatures) {
  using A = Accumulator<T>;
  SHARED(A, weights, [most_staged][rows_of_tile]);
  const Place place = Place::of<Width>(s.locations, s.channels);
  const Group group(s, place.group);
  const bool inside = place.column < s.channels;
  A sum[rows_of_tile][Width] = {};
  for (std::int64_t first = 0; first < group.count; first += most_staged) {
    const int count = static_cast<int>(min(std::int64_t{most_staged}, group.count - first));
    stage_weights(s, group, place, first, count, alpha, weights);
    if (!inside) continue;
#pragma unroll 2
    for (int j = 0; j < count; ++j) {
      const Pack<T, Width> dc = load<Width>(dcontext + group.row(first + j) * s.channels + place.column);
#pragma unroll
      for (int l = 0; l < rows_of_tile; ++l)
#pragma unroll
        for (int i = 0; i < Width; ++i) sum[l][i] += weights[j][l] * widen(dc.v[i]);
    }
  }
  if (!inside) return;
  T* row = dfeatures + (group.image * s.locations + place.first_location) * s.channels + place.column;
#pragma unroll
  for (int l = 0; l < rows_of_tile; ++l) {
    if (place.first_location + l >= s.locations) break;
    Pack<T, Width> pack;
#pragma unroll
    for (int i = 0; i < Width; ++i) pack.v[i] = narrow<T>(sum[l][i]);
    store(row + l * s.channels, pack);
  }
}

template <int Width, class T>
void backward_keys(Cuda device, const AttentionShape& s, const AttentionInputs<T>& in, const Accumulator<T>* descore,
                   T* dkeys, Accumulator<T>* dscore) {
  using A = Accumulator<T>;
  const std::int64_t parts = s.groups * ceil_div(s.locations, rows_of_tile);
  const cuda::Scratch<A> partial(parts * s.width, device.stream, "the partial results of attention_backward_keys");
  const auto kernel = in.activation == Activation::tanh ? attention_backward_keys_kernel<Width, FastTanh, T>
                                                        : attention_backward_keys_kernel<Width, Relu, T>;
  launch(device,
         {"attention_backward_keys",
          {s.groups, queries_of(s), s.locations, s.width},
          blocks_for(s, s.width, Width),
          column_threads},
         kernel, s, in, descore, dkeys, partial.data());
  reduce_sum(device, 1, parts, s.width, 1.0, partial.data(), dscore);
}

}  // namespace
}  // namespace attention

template <class T>
void attention_backward_keys(Cuda device, const AttentionShape& shape, const AttentionInputs<T>& inputs,
                             const Accumulator<T>* descore, T* dkeys, Accumulator<T>* dscore, T*) {
  if (shape.groups == 0 || shape.locations == 0 || shape.width == 0) {
    cuda::fill_bytes(dscore, 0, static_cast<std::size_t>(shape.width) * sizeof(Accumulator<T>), device.stream);
    return;
  }
  dispatch_width<quad_width<T>>({{inputs.keys, shape.width}, {dkeys, shape.width}}, [&]<int Width>() {
    attention::backward_keys<Width>(device, shape, inputs, descore, dkeys, dscore);
  });
}

template <class T>
void attention_backward_features(Cuda device, const AttentionShape& s, const Accumulator<T>* alpha, const T* dcontext,
                                 T* dfeatures) {
  if (s.groups == 0 || s.locations == 0 || s.channels == 0) return;
  dispatch_width<quad_width<T>>({{dcontext, s.channels}, {dfeatures, s.channels}}, [&]<int Width>() {
    launch(device,
           {"attention_backward_features",
            {s.groups, attention::queries_of(s), s.locations, s.channels},
            attention::blocks_for(s, s.channels, Width),
            attention::column_threads},
           attention::attention_backward_features_kernel<Width, T>, s, alpha, dcontext, dfeatures);
  });
}

GLIMPSE_ATTENTION_GRADIENT_KERNELS(Cuda, float)
GLIMPSE_ATTENTION_GRADIENT_KERNELS(Cuda, double)
GLIMPSE_ATTENTION_GRADIENT_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
