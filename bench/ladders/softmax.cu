// Softmax over rows, from a thread per row to the shipped kernel, which keeps a row in the registers of a warp.
// Bytes: 2 rows n 4 at least. Operations: about 20 an element. How often a rung reads the row, and in which order, is
// all that differs.

#include "glimpse/kernels/softmax.h"

#include "glimpse/kernels/cuda/helpers.cuh"
#include "ladder.h"

namespace glimpse::bench {
namespace {

using namespace kernels;

constexpr unsigned threads = 256;
constexpr unsigned rows_of_block = 4;  // in the kernels with a warp per row
constexpr float lowest = -std::numeric_limits<float>::infinity();

/// x, y (rows,n). Neighbouring threads read numbers that lie n apart.
__global__ void softmax_thread_kernel(std::int64_t rows, std::int64_t n, const float* x, float* y) {
  for (const std::int64_t row : grid_stride(rows)) {
    float top = lowest, sum = 0;
    for (std::int64_t i = 0; i < n; ++i) top = MaxOf{}(x[row * n + i], top);
    for (std::int64_t i = 0; i < n; ++i) sum += exp(x[row * n + i] - top);
    for (std::int64_t i = 0; i < n; ++i) y[row * n + i] = exp(x[row * n + i] - top) / sum;
  }
}

__global__ void __launch_bounds__(threads) softmax_block_kernel(std::int64_t n, const float* x, float* y) {
  x += blockIdx.x * n;
  y += blockIdx.x * n;
  float top = lowest, sum = 0;
  for (const std::int64_t i : block_stride(n)) top = MaxOf{}(x[i], top);
  top = block_max(top);
  for (const std::int64_t i : block_stride(n)) sum += exp(x[i] - top);
  sum = block_sum(sum);
  for (const std::int64_t i : block_stride(n)) y[i] = exp(x[i] - top) / sum;
}

__global__ void softmax_warp_kernel(std::int64_t rows, std::int64_t n, const float* x, float* y) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * rows_of_block + warp_index();
  if (row >= rows) return;
  x += row * n;
  y += row * n;
  float top = lowest, sum = 0;
  for (std::int64_t i = lane_index(); i < n; i += warp_lanes) top = MaxOf{}(x[i], top);
  top = warp_max(top);
  for (std::int64_t i = lane_index(); i < n; i += warp_lanes) sum += exp(x[i] - top);
  sum = warp_sum(sum);
  for (std::int64_t i = lane_index(); i < n; i += warp_lanes) y[i] = exp(x[i] - top) / sum;
}

__global__ void softmax_online_kernel(std::int64_t rows, std::int64_t n, const float* x, float* y) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * rows_of_block + warp_index();
  if (row >= rows) return;
  x += row * n;
  y += row * n;
  float own = lowest, sum = 0;
  for (std::int64_t i = lane_index(); i < n; i += warp_lanes) {
    const float higher = MaxOf{}(x[i], own);
    sum = sum * exp(own - higher) + exp(x[i] - higher);
    own = higher;
  }
  const float top = warp_max(own);
  sum = warp_sum(sum == 0.0f ? 0.0f : sum * exp(own - top));  // a lane that has seen nothing has no maximum
  for (std::int64_t i = lane_index(); i < n; i += warp_lanes) y[i] = exp(x[i] - top) / sum;
}

}  // namespace

Ladder make_ladder(Cuda device, bool small, const Rotation& rotation) {
  const std::int64_t rows = small ? 5 : 65536, n = small ? 100 : 1000;
  const double elements = static_cast<double>(rows * n);
  const Cost cost{2 * elements * sizeof(float), 20 * elements};
  const Lab lab(device, cost, rotation);
  const auto host = draw<float>(rows * n, 1, 2);
  const auto x = lab.input(host), y = lab.output<float>(rows * n);
  const LaunchSizes sizes{rows, n};
  const unsigned for_warps = grid_size(ceil_div(rows, rows_of_block));

  Ladder ladder{"softmax of " + std::to_string(rows) + " rows of " + std::to_string(n) + " numbers, f32",
                cost,
                lab.sets(),
                [=] { spoil(device, y, rows * n); },
                [=] {
                  auto truth = zeros(rows * n);
                  softmax_forward(Cpu{}, rows, n, widened(host).data(), truth.data());
                  return y.error(truth);
                },
                {}};
  ladder.rungs = {
      {"thread per row",
       "What one would write for one row. A warp reads from 32 rows at once: 32 sectors for 128 bytes.",
       [=](int s) {
         launch(device, {"softmax thread per row", sizes, grid_size(ceil_div(rows, threads)), threads},
                softmax_thread_kernel, rows, n, x[s], y[s]);
       }},
      {"block per row",
       "Neighbouring threads read neighbouring numbers. The row is read three times, twice from caches.",
       [=](int s) {
         launch(device, {"softmax block per row", sizes, grid_size(rows), threads}, softmax_block_kernel, n, x[s],
                y[s]);
       }},
      {"warp per row",
       "Shuffles in place of shared memory and barriers; rows do not wait for each other's slowest warp.",
       [=](int s) {
         launch(device, {"softmax warp per row", sizes, for_warps, rows_of_block * warp_lanes}, softmax_warp_kernel,
                rows, n, x[s], y[s]);
       }},
      {"online", "Maximum and sum in one pass, the sum scaled when the maximum grows: two readings instead of three.",
       [=](int s) {
         launch(device, {"softmax online", sizes, for_warps, rows_of_block * warp_lanes}, softmax_online_kernel, rows,
                n, x[s], y[s]);
       }},
      {"shipped",
       "One reading, 16 bytes a lane, all loads under way at once; the row stays in registers until written.",
       [=](int s) { softmax_forward(device, rows, n, x[s], y[s]); }}};
  return ladder;
}

}  // namespace glimpse::bench
