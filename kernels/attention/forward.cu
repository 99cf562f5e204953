// Additive attention, forward: scores, softmax and context in one reading of keys and features.
//
// An image's locations are cut into parts, so that a few images fill the GPU too, and a block takes one part, tile by
// tile of up to 32 locations. For a tile, every warp makes the scores of its share of the locations (the keys are read,
// the queries and the score vector lie in shared memory); then a warp per query, a lane per location, brings the
// running maximum and the sum of exponentials up to date (online softmax: Milakov & Gimelshein, arXiv 1805.02867); then
// every thread adds the tile's features, weighted, to its columns of the context, scaling what was there. All queries
// of an image (the beams of a search) take part in the same reading, `Queries` at a time. A second kernel combines the
// parts: their contexts by their maxima and sums, in order, and turns the scores into probabilities. Maxima begin at
// the lowest finite number, so that locations that are masked (a score of -infinity) have no weight in whatever order
// they come.
//
// Bytes: B L (A + D) sizeof(T), plus per part of an image 2 D sizeof(f32) (a few per cent). Operations: per query 6 B L
// A for the scores and 2 B L D for the context, far below what memory leaves time for.

#include <limits>

#include "glimpse/kernels/attention/parts.cuh"

namespace glimpse::kernels {
namespace attention {
namespace {

/// What the parts of an image leave for each query; p is a query's number times the number of parts plus the part's.
template <class A>
struct Partial {
  A* top;      // (Q,parts) largest score
  A* sum;      // (Q,parts) of e^(score - top)
  A* context;  // (Q,parts,D) sum of e^(score - top) feature
};

constexpr int most_queries = 5;  // beams that are usual
constexpr std::size_t shared_limit = 60 << 10;

/// Shared memory of the forward kernel, in numbers of type A; each piece begins at a multiple of four.
struct ForwardLayout {
  std::int64_t score, query, context, total;
  __host__ __device__ ForwardLayout(int queries, std::int64_t width, std::int64_t channels, int groups) {
    const auto round4 = [](std::int64_t n) { return (n + 3) / 4 * 4; };
    score = 0;
    query = round4(width);
    context = query + queries * round4(width);
    total = context + queries * groups * round4(channels);
  }
};

/// body(j) for j < count, unrolled: count is at most Queries.
template <int Queries, class Body>
__device__ __forceinline__ void for_queries(int count, Body body) {
#pragma unroll
  for (int j = 0; j < Queries; ++j)
    if (j < count) body(j);
}

/// Scores of the tile's locations for queries [0, count), a warp per location.
template <int Width, int Queries, class Function, class T>
__device__ __forceinline__ void make_scores(int width, int locations, int count, const T* keys,
                                            const Accumulator<T>* score, const Accumulator<T>* query,
                                            std::int64_t query_stride,
                                            Accumulator<T> (&scores)[Queries][most_of_tile]) {
  using A = Accumulator<T>;
  for (int l = warp_index(); l < locations; l += warps) {
    A sum[Queries] = {};
#pragma unroll 4
    for (int a = lane_index() * Width; a < width; a += warp_lanes * Width) {
      const Pack<T, Width> key = load<Width>(keys + l * width + a);
      A factor[Width];
      load_shared<Width>(score + a, factor);
      for_queries<Queries>(count, [&](int j) {
        A q[Width];
        load_shared<Width>(query + j * query_stride + a, q);
#pragma unroll
        for (int i = 0; i < Width; ++i) sum[j] += factor[i] * Function::value(widen(key.v[i]) + q[i]);
      });
    }
    for_queries<Queries>(count, [&](int j) {
      sum[j] = warp_sum(sum[j]);
      if (lane_index() == 0) scores[j][l] = sum[j];
    });
  }
}

/// context = context rescale + sum over the tile of weight feature, for the columns of this thread.
template <int Width, int Queries, class T>
__device__ __forceinline__ void add_features(int channels, int locations, int count, const Columns& columns,
                                             const T* features, const Accumulator<T> (&weights)[Queries][most_of_tile],
                                             const Accumulator<T> (&rescale)[Queries], Accumulator<T>* context,
                                             std::int64_t context_stride) {
  using A = Accumulator<T>;
  if (columns.group() >= columns.groups) return;
  for (int c = columns.first(); c < columns.packs; c += threads) {
    A sum[Queries][Width] = {};
    for_queries<Queries>(count, [&](int j) {
      load_shared<Width>(context + (j * columns.groups + columns.group()) * context_stride + c * Width, sum[j]);
#pragma unroll
      for (int i = 0; i < Width; ++i) sum[j][i] *= rescale[j];
    });
#pragma unroll 4
    for (int l = columns.group(); l < locations; l += columns.groups) {
      const Pack<T, Width> feature = load<Width>(features + l * channels + c * Width);
      for_queries<Queries>(count, [&](int j) {
        const A weight = weights[j][l];
#pragma unroll
        for (int i = 0; i < Width; ++i) sum[j][i] += weight * widen(feature.v[i]);
      });
    }
    for_queries<Queries>(count, [&](int j) {
      store_shared<Width>(context + (j * columns.groups + columns.group()) * context_stride + c * Width, sum[j]);
    });
  }
}

/// Block g parts + part: a part of the locations of group g. alpha (Q,L) receives the scores.
template <int Width, int Queries, class Function, class T>
__global__ void __launch_bounds__(threads, 2)
    attention_forward_kernel(AttentionShape s, AttentionInputs<T> in, Parts parts, Accumulator<T>* alpha,
                             Partial<Accumulator<T>> partial) {
  using A = Accumulator<T>;
  DYNAMIC_SHARED(A, shared);
  SHARED(A, scores, [Queries][most_of_tile]);
  SHARED(A, rescale, [Queries]);
  const Group group(s, blockIdx.x / parts.parts);
  const std::int64_t part = blockIdx.x % parts.parts, begin = part * parts.chunk,
                     end = min(s.locations, begin + parts.chunk);
  const Columns columns(s.channels, Width);
  const ForwardLayout layout(Queries, s.width, s.channels, columns.groups);
  const int width = static_cast<int>(s.width), channels = static_cast<int>(s.channels);  // of an image, hence small
  const int query_stride = (width + 3) / 4 * 4, context_stride = (channels + 3) / 4 * 4;
  A *const score = shared + layout.score, *const query = shared + layout.query,
           *const context = shared + layout.context;
  const T* const keys = in.keys + group.image * s.locations * s.width;
  const T* const features = in.features + group.image * s.locations * s.channels;
  const std::int32_t* const mask = in.mask ? in.mask + group.image * s.locations : nullptr;
  widen_into_shared(s.width, in.score, score);

  for (std::int64_t first = 0; first < group.count; first += Queries) {
    const int count = static_cast<int>(min(std::int64_t{Queries}, group.count - first));
    for (int j = 0; j < count; ++j)
      widen_into_shared(s.width, in.query + group.row(first + j) * in.query_stride, query + j * query_stride);
    for (const std::int64_t i : block_stride(count * columns.groups * context_stride)) context[i] = 0;
    __syncthreads();
    A top = std::numeric_limits<A>::lowest(), sum = 0;  // of query number warp_index()
    for (std::int64_t tile = begin; tile < end; tile += parts.tile) {
      const int locations = static_cast<int>(min(std::int64_t{parts.tile}, end - tile)), lane = lane_index(),
                j = warp_index();
      make_scores<Width, Queries, Function>(width, locations, count, keys + tile * s.width, score, query, query_stride,
                                            scores);
      __syncthreads();
      if (j < count) {
        const bool attended = lane < locations && !(mask && mask[tile + lane] == 0);
        const A own = attended ? scores[j][lane] : -std::numeric_limits<A>::infinity();
        if (lane < locations) alpha[group.row(first + j) * s.locations + tile + lane] = own;
        const A higher = MaxOf{}(top, warp_max(own)), factor = exp(top - higher), weight = exp(own - higher);
        sum = sum * factor + warp_sum(weight);
        top = higher;
        scores[j][lane] = weight;
        if (lane == 0) rescale[j] = factor;
      }
      __syncthreads();
      add_features<Width, Queries>(channels, locations, count, columns, features + tile * s.channels, scores, rescale,
                                   context, context_stride);
      __syncthreads();
    }
    if (warp_index() < count && lane_index() == 0) {
      const std::int64_t p = (group.first + first + warp_index()) * parts.parts + part;
      partial.top[p] = top;
      partial.sum[p] = sum;
    }
    for (int j = 0; j < count; ++j)
      for (const std::int64_t c : block_stride(s.channels)) {
        A total = 0;
        for (int g = 0; g < columns.groups; ++g) total += context[(j * columns.groups + g) * context_stride + c];
        partial.context[((group.first + first + j) * parts.parts + part) * s.channels + c] = total;
      }
    __syncthreads();  // before the next queries take their place in shared memory
  }
}

/// A block per query. alpha (Q,L): from scores to probabilities; context (Q,D); log_sum (Q), if not null.
template <class T>
__global__ void __launch_bounds__(threads)
    attention_combine_kernel(AttentionShape s, std::int64_t parts, Partial<Accumulator<T>> partial,
                             Accumulator<T>* alpha, T* context, Accumulator<T>* log_sum) {
  using A = Accumulator<T>;
  const std::int64_t query = blockIdx.x, row = s.row ? s.row[query] : query;
  A top = std::numeric_limits<A>::lowest(), sum = 0;
  for (std::int64_t p = 0; p < parts; ++p) top = MaxOf{}(partial.top[query * parts + p], top);
  for (std::int64_t p = 0; p < parts; ++p)
    sum += partial.sum[query * parts + p] * exp(partial.top[query * parts + p] - top);
  const A scale = sum == A(0) ? A(0) : A(1) / sum;
  if (log_sum && threadIdx.x == 0) log_sum[row] = top + log(sum);
  for (const std::int64_t l : block_stride(s.locations))
    alpha[row * s.locations + l] = exp(alpha[row * s.locations + l] - top) * scale;
  for (const std::int64_t c : block_stride(s.channels)) {
    A total = 0;
    for (std::int64_t p = 0; p < parts; ++p)
      total += partial.context[(query * parts + p) * s.channels + c] * exp(partial.top[query * parts + p] - top);
    context[row * s.channels + c] = narrow<T>(total * scale);
  }
}

template <int Width, int Queries, class T>
void forward(Cuda device, const AttentionShape& s, const AttentionInputs<T>& in, Accumulator<T>* alpha, T* context,
             Accumulator<T>* log_sum) {
  using A = Accumulator<T>;
  const Parts parts = cut_locations(s.groups, s.locations);
  const std::int64_t queries = queries_of(s), count = queries * parts.parts;
  const cuda::Scratch<A> scratch(count * (s.channels + 2), device.stream, "the partial results of attention_forward");
  const Partial<A> partial{scratch.data(), scratch.data() + count, scratch.data() + 2 * count};
  const ForwardLayout layout(Queries, s.width, s.channels, Columns::groups_for(s.channels, Width));
  const LaunchSizes sizes{s.groups, queries, s.locations, s.width, s.channels};
  launch(device,
         {"attention_forward", sizes, grid_size(s.groups * parts.parts), threads,
          static_cast<std::size_t>(layout.total) * sizeof(A)},
         in.activation == Activation::tanh ? attention_forward_kernel<Width, Queries, FastTanh, T>
                                           : attention_forward_kernel<Width, Queries, Relu, T>,
         s, in, parts, alpha, partial);
  launch(device, {"attention_forward", sizes, grid_size(queries), threads}, attention_combine_kernel<T>, s, parts.parts,
         partial, alpha, context, log_sum);
}

template <int Width, class T>
void forward(Cuda device, const AttentionShape& s, const AttentionInputs<T>& in, Accumulator<T>* alpha, T* context,
             Accumulator<T>* log_sum) {
  if constexpr (Width > 1) {
    const ForwardLayout several(most_queries, s.width, s.channels, Columns::groups_for(s.channels, Width));
    if (queries_of(s) > s.groups && static_cast<std::size_t>(several.total) * sizeof(Accumulator<T>) <= shared_limit)
      return forward<Width, most_queries>(device, s, in, alpha, context, log_sum);
  }
  forward<Width, 1>(device, s, in, alpha, context, log_sum);
}

}  // namespace
}  // namespace attention

template <class T>
void attention_forward(Cuda device, const AttentionShape& shape, const AttentionInputs<T>& inputs,
                       Accumulator<T>* alpha, T* context, Accumulator<T>* log_sum) {
  if (attention::queries_of(shape) == 0 || shape.locations == 0) return;
  dispatch_width<pack_width<T>>({{inputs.keys, shape.width}, {inputs.features, shape.channels}}, [&]<int Width>() {
    attention::forward<Width>(device, shape, inputs, alpha, context, log_sum);
  });
}

GLIMPSE_ATTENTION_FORWARD_KERNELS(Cuda, float)
GLIMPSE_ATTENTION_FORWARD_KERNELS(Cuda, double)
GLIMPSE_ATTENTION_FORWARD_KERNELS(Cuda, bf16)

}  // namespace glimpse::kernels
