// Additive attention, backward through the scores of one step: one reading of features and keys.
//
// With g_l = dalpha_l + feature_l . dcontext and m = sum of alpha_l g_l, the gradient of the score is alpha_l (g_l -
// m), and that of the query is score_a times the sum over l of alpha_l (g_l - m) f'(key_la + query_a). The mean m is
// known only when all locations have been seen; so the sums U_a = sum alpha_l g_l f' and W_a = sum alpha_l f' are made
// side by side, and U - m W at the end. Blocks take parts of an image's locations as in the forward pass, tile by tile:
// a warp per location makes g (features), then every thread adds to its columns of U and W (keys, activation computed
// again). A second kernel adds up the parts, in order.
//
// Bytes: B L (A + D) sizeof(T), plus 2 A sizeof(f32) per part of an image. Operations: 2 B L D and about 12 B L A.

#include "glimpse/kernels/attention/parts.cuh"

namespace glimpse::kernels {
namespace attention {
namespace {

/// What the parts of an image leave for each query; p is a query's number times the number of parts plus the part's.
template <class A>
struct Partial {
  A* mean;  // (Q,parts) sum of alpha g
  A* sums;  // (Q,parts,2,A) U and W
};

/// g of the tile's locations: a warp per location.
template <int Width, class T>
__device__ __forceinline__ void make_gradients(int channels, int locations, const T* features,
                                               const Accumulator<T>* dcontext, const Accumulator<T>* dalpha,
                                               Accumulator<T> (&gradients)[most_of_tile]) {
  using A = Accumulator<T>;
  for (int l = warp_index(); l < locations; l += warps) {
    A sum = 0;
#pragma unroll 4
    for (int d = lane_index() * Width; d < channels; d += warp_lanes * Width) {
      const Pack<T, Width> feature = load<Width>(features + static_cast<std::int64_t>(l) * channels + d);
      A dc[Width];
      load_shared<Width>(dcontext + d, dc);
#pragma unroll
      for (int i = 0; i < Width; ++i) sum += widen(feature.v[i]) * dc[i];
    }
    sum = warp_sum(sum);
    if (lane_index() == 0) gradients[l] = sum + (dalpha ? dalpha[l] : A(0));
  }
}

/// U += sum over the tile of alpha g f'(key + query), W likewise without g, for the columns of this thread.
template <int Width, class Function, class T>
__device__ __forceinline__ void add_slopes(int width, int locations, const Columns& columns, const T* keys,
                                           const Accumulator<T>* query,
                                           const Accumulator<T> (&weights)[2][most_of_tile], Accumulator<T>* u,
                                           Accumulator<T>* w) {
  using A = Accumulator<T>;
  if (columns.group() >= columns.groups) return;
  for (int c = columns.first(); c < columns.packs; c += threads) {
    A q[Width], u_sum[Width], w_sum[Width];
    load_shared<Width>(query + c * Width, q);
    load_shared<Width>(u + c * Width, u_sum);
    load_shared<Width>(w + c * Width, w_sum);
#pragma unroll 4
    for (int l = columns.group(); l < locations; l += columns.groups) {
      const Pack<T, Width> key = load<Width>(keys + static_cast<std::int64_t>(l) * width + c * Width);
      const A with_gradient = weights[0][l], alone = weights[1][l];
#pragma unroll
      for (int i = 0; i < Width; ++i) {
        const A x = widen(key.v[i]) + q[i], slope = Function::slope(x, Function::value(x));
        u_sum[i] += with_gradient * slope;
        w_sum[i] += alone * slope;
      }
    }
    store_shared<Width>(u + c * Width, u_sum);
    store_shared<Width>(w + c * Width, w_sum);
  }
}

__host__ __device__ inline std::int64_t round_to_4(std::int64_t n) { return (n + 3) / 4 * 4; }

/// Numbers in shared memory: dcontext, query, and U and W of each group of threads.
inline std::int64_t shared_numbers(const AttentionShape& s, int groups) {
  return round_to_4(s.channels) + round_to_4(s.width) + 2 * groups * round_to_4(s.width);
}

/// Block g parts + part: a part of the locations of group g. descore (Q,L) receives g.
template <int Width, class Function, class T>
__global__ void __launch_bounds__(threads, 2)
    attention_backward_kernel(AttentionShape s, AttentionInputs<T> in, Parts parts, const Accumulator<T>* alpha,
                              const T* dcontext, const Accumulator<T>* dalpha, Accumulator<T>* descore,
                              Partial<Accumulator<T>> partial) {
  using A = Accumulator<T>;
  DYNAMIC_SHARED(A, shared);
  SHARED(A, gradients, [most_of_tile]);
  SHARED(A, weights, [2][most_of_tile]);
  const Group group(s, blockIdx.x / parts.parts);
  const std::int64_t part = blockIdx.x % parts.parts, begin = part * parts.chunk,
                     end = min(s.locations, begin + parts.chunk);
  const int width = static_cast<int>(s.width), channels = static_cast<int>(s.channels);  // of an image, hence small
  const Columns columns(width, Width);
  const int column_stride = static_cast<int>(round_to_4(width));
  A *const dc = shared, *const query = dc + round_to_4(channels), *const sums = query + column_stride;
  A* const u = sums + min(columns.group(), columns.groups - 1) * column_stride;
  A* const w = u + columns.groups * column_stride;
  const T* const keys = in.keys + group.image * s.locations * width;
  const T* const features = in.features + group.image * s.locations * channels;

  for (std::int64_t j = 0; j < group.count; ++j) {
    const std::int64_t row = group.row(j), at = row * s.locations;
    widen_into_shared(channels, dcontext + row * channels, dc);
    widen_into_shared(width, in.query + row * in.query_stride, query);
    for (const std::int64_t i : block_stride(2 * columns.groups * column_stride)) sums[i] = 0;
    __syncthreads();
    A mean = 0;
    for (std::int64_t tile = begin; tile < end; tile += parts.tile) {
      const int locations = static_cast<int>(min(std::int64_t{parts.tile}, end - tile)), lane = lane_index();
      make_gradients<Width>(channels, locations, features + tile * channels, dc, dalpha ? dalpha + at + tile : nullptr,
                            gradients);
      __syncthreads();
      if (warp_index() == 0) {
        const bool here = lane < locations;
        const A a = here ? alpha[at + tile + lane] : A(0), g = here ? gradients[lane] : A(0);
        if (here) descore[at + tile + lane] = g;
        mean += warp_sum(a * g);
        weights[0][lane] = a * g;
        weights[1][lane] = a;
      }
      __syncthreads();
      add_slopes<Width, Function>(width, locations, columns, keys + tile * width, query, weights, u, w);
      __syncthreads();
    }
    const std::int64_t p = (group.first + j) * parts.parts + part;
    if (threadIdx.x == 0) partial.mean[p] = mean;
    for (const std::int64_t c : block_stride(2 * width)) {
      const A* column = sums + (c < width ? c : columns.groups * column_stride + c - width);
      A total = 0;
      for (int g = 0; g < columns.groups; ++g) total += column[g * column_stride];
      partial.sums[p * 2 * width + c] = total;
    }
    __syncthreads();  // before the next query takes its place in shared memory
  }
}

/// A block per query. descore (Q,L): from g to alpha (g - m); dquery (Q,A) = score (U - m W). The gradient of the
/// logarithm of the sum adds to every g, so it is taken from m.
template <class T>
__global__ void __launch_bounds__(threads)
    attention_backward_combine_kernel(AttentionShape s, std::int64_t parts, const T* score, const Accumulator<T>* alpha,
                                      const Accumulator<T>* dlog_sum, Partial<Accumulator<T>> partial,
                                      Accumulator<T>* descore, T* dquery, std::int64_t dquery_stride) {
  using A = Accumulator<T>;
  const std::int64_t query = blockIdx.x, row = s.row ? s.row[query] : query, at = row * s.locations;
  A mean = dlog_sum ? -dlog_sum[row] : A(0);
  for (std::int64_t p = 0; p < parts; ++p) mean += partial.mean[query * parts + p];
  for (const std::int64_t l : block_stride(s.locations)) descore[at + l] = alpha[at + l] * (descore[at + l] - mean);
  for (const std::int64_t a : block_stride(s.width)) {
    A u = 0, w = 0;
    for (std::int64_t p = 0; p < parts; ++p) {
      const A* sums = partial.sums + (query * parts + p) * 2 * s.width;
      u += sums[a];
      w += sums[s.width + a];
    }
    dquery[row * dquery_stride + a] = narrow<T>(widen(score[a]) * (u - mean * w));
  }
}

template <int Width, class T>
void backward(Cuda device, const AttentionShape& s, const AttentionInputs<T>& in, const AttentionBackward<T>& call) {
  using A = Accumulator<T>;
  const Parts parts = cut_locations(s.groups, s.locations);
  const std::int64_t queries = queries_of(s), count = queries * parts.parts;
  const cuda::Scratch<A> scratch(count * (2 * s.width + 1), device.stream, "the partial results of attention_backward");
  const Partial<A> partial{scratch.data(), scratch.data() + count};
  const auto bytes = static_cast<std::size_t>(shared_numbers(s, Columns::groups_for(s.width, Width))) * sizeof(A);
  const LaunchSizes sizes{s.groups, queries, s.locations, s.width, s.channels};
  launch(device, {"attention_backward", sizes, grid_size(s.groups * parts.parts), threads, bytes},
         in.activation == Activation::tanh ? attention_backward_kernel<Width, FastTanh, T>
                                           : attention_backward_kernel<Width, Relu, T>,
         s, in, parts, call.alpha, call.dcontext, call.dalpha, call.descore, partial);
  launch(device, {"attention_backward", sizes, grid_size(queries), threads}, attention_backward_combine_kernel<T>, s,
         parts.parts, in.score, call.alpha, call.dlog_sum, partial, call.descore, call.dquery, call.dquery_stride);
}

}  // namespace
}  // namespace attention

template <class T>
void attention_backward(Cuda device, const AttentionShape& shape, const AttentionInputs<T>& inputs,
                        const AttentionBackward<T>& call) {
  if (attention::queries_of(shape) == 0 || shape.locations == 0) return;
  dispatch_width<pack_width<T>>({{inputs.keys, shape.width}, {inputs.features, shape.channels}},
                                [&]<int Width>() { attention::backward<Width>(device, shape, inputs, call); });
}

GLIMPSE_ATTENTION_BACKWARD_KERNELS(Cuda, float)
GLIMPSE_ATTENTION_BACKWARD_KERNELS(Cuda, double)
GLIMPSE_ATTENTION_BACKWARD_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
