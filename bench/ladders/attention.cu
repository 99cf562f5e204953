// Additive attention of one query an image, from three plain kernels to the shipped one.
// Bytes: B L (A + D) 4 at least: keys and features, each once. Operations: 6 B L A + 2 B L D.

#include "glimpse/kernels/attention/attention.h"

#include "glimpse/kernels/cuda/helpers.cuh"
#include "ladder.h"

namespace glimpse::bench {
namespace {

using namespace kernels;

constexpr unsigned threads = 256;
constexpr float lowest = -std::numeric_limits<float>::infinity();

struct Arrays {
  std::int64_t images, locations, width, channels;  // B, L, A, D
  const float* keys;                                // (B,L,A)
  const float* features;                            // (B,L,D)
  const float* score;                               // (A)
  const float* query;                               // (B,A)
  float* alpha;                                     // (B,L)
  float* context;                                   // (B,D)
};

/// A thread per location, which goes through its key alone.
__global__ void scores_thread_kernel(Arrays a) {
  for (const std::int64_t p : grid_stride(a.images * a.locations)) {
    const float *key = a.keys + p * a.width, *query = a.query + p / a.locations * a.width;
    float sum = 0;
    for (std::int64_t i = 0; i < a.width; ++i) sum += a.score[i] * tanh(key[i] + query[i]);
    a.alpha[p] = sum;
  }
}

__global__ void softmax_thread_kernel(Arrays a) {
  for (const std::int64_t image : grid_stride(a.images)) {
    float* alpha = a.alpha + image * a.locations;
    float top = lowest, sum = 0;
    for (std::int64_t l = 0; l < a.locations; ++l) top = MaxOf{}(alpha[l], top);
    for (std::int64_t l = 0; l < a.locations; ++l) sum += exp(alpha[l] - top);
    for (std::int64_t l = 0; l < a.locations; ++l) alpha[l] = exp(alpha[l] - top) / sum;
  }
}

/// A thread per channel of an image.
__global__ void context_kernel(Arrays a) {
  for (const std::int64_t p : grid_stride(a.images * a.channels)) {
    const std::int64_t image = p / a.channels;
    const float *alpha = a.alpha + image * a.locations,
                *feature = a.features + image * a.locations * a.channels + p % a.channels;
    float sum = 0;
    for (std::int64_t l = 0; l < a.locations; ++l) sum += alpha[l] * feature[l * a.channels];
    a.context[p] = sum;
  }
}

/// The score of one location by one warp.
__device__ __forceinline__ float warp_score(const Arrays& a, const float* key, const float* query) {
  float sum = 0;
  for (std::int64_t i = lane_index(); i < a.width; i += warp_lanes) sum += a.score[i] * tanh(key[i] + query[i]);
  return warp_sum(sum);
}

__global__ void __launch_bounds__(threads) scores_warp_kernel(Arrays a) {
  const std::int64_t p = static_cast<std::int64_t>(blockIdx.x) * warps_of_block() + warp_index();
  if (p >= a.images * a.locations) return;
  const float sum = warp_score(a, a.keys + p * a.width, a.query + p / a.locations * a.width);
  if (lane_index() == 0) a.alpha[p] = sum;
}

/// A warp per image, alone in its block.
__global__ void softmax_warp_kernel(Arrays a) {
  float* alpha = a.alpha + blockIdx.x * a.locations;
  float top = lowest, sum = 0;
  for (const std::int64_t l : block_stride(a.locations)) top = MaxOf{}(alpha[l], top);
  top = warp_max(top);
  for (const std::int64_t l : block_stride(a.locations)) sum += exp(alpha[l] - top);
  sum = warp_sum(sum);
  for (const std::int64_t l : block_stride(a.locations)) alpha[l] = exp(alpha[l] - top) / sum;
}

/// A block per image; its L scores lie in dynamic shared memory.
__global__ void __launch_bounds__(threads) attention_block_kernel(Arrays a) {
  DYNAMIC_SHARED(float, alpha);
  const std::int64_t image = blockIdx.x;
  const float *keys = a.keys + image * a.locations * a.width, *query = a.query + image * a.width,
              *features = a.features + image * a.locations * a.channels;
  for (std::int64_t l = warp_index(); l < a.locations; l += warps_of_block()) {
    const float score = warp_score(a, keys + l * a.width, query);
    if (lane_index() == 0) alpha[l] = score;
  }
  __syncthreads();
  float top = lowest, sum = 0;
  for (const std::int64_t l : block_stride(a.locations)) top = MaxOf{}(alpha[l], top);
  top = block_max(top);
  for (const std::int64_t l : block_stride(a.locations)) sum += exp(alpha[l] - top);
  sum = block_sum(sum);
  for (const std::int64_t l : block_stride(a.locations))
    a.alpha[image * a.locations + l] = alpha[l] = exp(alpha[l] - top) / sum;
  __syncthreads();
  for (const std::int64_t d : block_stride(a.channels)) {
    float total = 0;
    for (std::int64_t l = 0; l < a.locations; ++l) total += alpha[l] * features[l * a.channels + d];
    a.context[image * a.channels + d] = total;
  }
}

}  // namespace

Ladder make_ladder(Cuda device, bool small, const Rotation& rotation) {
  const std::int64_t images = small ? 3 : 64, locations = small ? 40 : 196, width = small ? 48 : 512,
                     channels = small ? 72 : 2048;
  const auto cells = static_cast<double>(images * locations);
  const Cost cost{cells * static_cast<double>(width + channels) * sizeof(float),
                  cells * static_cast<double>(6 * width + 2 * channels)};
  const Lab lab(device, cost, rotation);
  const auto host_keys = draw<float>(images * locations * width, 1),
             host_features = draw<float>(images * locations * channels, 2), host_score = draw<float>(width, 3, 0.3),
             host_query = draw<float>(images * width, 4);
  const auto keys = lab.input(host_keys), features = lab.input(host_features), score = lab.shared_input(host_score),
             query = lab.input(host_query), alpha = lab.output<float>(images * locations),
             context = lab.output<float>(images * channels);
  const LaunchSizes sizes{images, locations, width, channels};
  const auto arrays = [=](int s) {
    return Arrays{images, locations, width, channels, keys[s], features[s], score[0], query[s], alpha[s], context[s]};
  };
  const auto shape = [=](const char* name, std::int64_t blocks, std::int64_t of_block = threads) {
    return Launch{name, sizes, grid_size(blocks), static_cast<unsigned>(of_block)};
  };
  const std::int64_t for_scores = ceil_div(images * locations, threads),
                     for_context = ceil_div(images * channels, threads);

  Ladder ladder{"attention over " + std::to_string(locations) + " locations of " + std::to_string(images) +
                    " images, keys of " + std::to_string(width) + ", features of " + std::to_string(channels) + ", f32",
                cost,
                lab.sets(),
                [=] {
                  spoil(device, alpha, images * locations);
                  spoil(device, context, images * channels);
                },
                [=] {
                  auto true_alpha = zeros(images * locations), true_context = zeros(images * channels);
                  const auto wide_keys = widened(host_keys), wide_features = widened(host_features),
                             wide_score = widened(host_score), wide_query = widened(host_query);
                  const AttentionShape there{images, locations, width, channels};
                  const AttentionInputs<double> in{Activation::tanh,  wide_keys.data(),  wide_features.data(),
                                                   wide_score.data(), wide_query.data(), width};
                  attention_forward(Cpu{}, there, in, true_alpha.data(), true_context.data());
                  return std::max(alpha.error(true_alpha), context.error(true_context));
                },
                {}};
  ladder.rungs = {
      {"three plain kernels",
       "A thread a score, a thread a softmax, a thread a channel: keys are read 32 rows at once.",
       [=](int s) {
         launch(device, shape("scores", for_scores), scores_thread_kernel, arrays(s));
         launch(device, shape("softmax", ceil_div(images, threads)), softmax_thread_kernel, arrays(s));
         launch(device, shape("context", for_context), context_kernel, arrays(s));
       }},
      {"a warp a score", "Lanes read neighbouring numbers of one key and add up by shuffles; a warp a softmax.",
       [=](int s) {
         launch(device, shape("scores", ceil_div(images * locations, threads / warp_lanes)), scores_warp_kernel,
                arrays(s));
         launch(device, shape("softmax", images, warp_lanes), softmax_warp_kernel, arrays(s));
         launch(device, shape("context", for_context), context_kernel, arrays(s));
       }},
      {"one kernel", "A block an image, scores in shared memory: one launch. But blocks are few, and wait at barriers.",
       [=](int s) {
         Launch fused = shape("attention, a block per image", images);
         fused.shared = static_cast<std::size_t>(locations) * sizeof(float);
         launch(device, fused, attention_block_kernel, arrays(s));
       }},
      {"shipped",
       "Images are split over blocks that fill the GPU (online softmax joins them); 16 bytes a lane; a cheaper tanh.",
       [=](int s) {
         const AttentionInputs<float> in{Activation::tanh, keys[s], features[s], score[0], query[s], width};
         attention_forward(device, AttentionShape{images, locations, width, channels}, in, alpha[s], context[s]);
       }}};
  return ladder;
}

}  // namespace glimpse::bench
