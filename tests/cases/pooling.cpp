#include <algorithm>
#include <limits>

#include "op_case.h"

namespace glimpse::test {
namespace {

/// Sizes of max and average pooling: images, channels, height, width, kernel, stride, padding, ceil (0 or 1).
PoolOptions options_of(const Sizes& s) {
  return {static_cast<int>(s[4]), static_cast<int>(s[5]), static_cast<int>(s[6]), s[7] == 1};
}

const std::vector<Sizes> pool_sizes{
    {0, 2, 4, 4, 2, 2, 0, 0},  {1, 1, 1, 1, 1, 1, 0, 0},   {2, 3, 6, 8, 2, 2, 0, 0},
    {1, 2, 7, 5, 2, 2, 0, 0},  {1, 2, 7, 5, 2, 2, 0, 1},  // a last window that reaches over the edge
    {1, 2, 9, 8, 3, 2, 1, 0},  {1, 2, 8, 9, 3, 2, 1, 1},   {1, 2, 8, 9, 3, 2, 0, 1},
    {2, 1, 5, 5, 3, 1, 1, 0},  {1, 1, 5, 5, 2, 3, 1, 1},  // a last window that would start in the padding is dropped
    {1, 33, 4, 4, 2, 2, 0, 0}, {1, 1, 31, 32, 3, 2, 1, 1}, {1, 1, 2, 1000, 2, 2, 0, 0},
};

/// Number of windows along `size`, counted one by one.
std::int64_t windows(std::int64_t size, const Sizes& s) {
  std::int64_t count = 0;
  for (std::int64_t start = -s[6]; start + s[4] <= size + s[6]; start += s[5]) ++count;
  const std::int64_t next =
      count * s[5] - s[6];  // one more with ceil, if it starts on the image and covers something new
  if (s[7] == 1 && next < size && next - s[5] + s[4] < size + s[6]) ++count;
  return count;
}

/// Calls body(output index, input index or -1 for padding) for all pairs.
template <class Body>
void for_windows(const Sizes& s, Body&& body) {
  const std::int64_t out_h = windows(s[2], s), out_w = windows(s[3], s);
  for (std::int64_t p = 0; p < s[0] * s[1]; ++p)
    for (std::int64_t i = 0; i < out_h; ++i)
      for (std::int64_t j = 0; j < out_w; ++j)
        for (std::int64_t k = 0; k < s[4] * s[4]; ++k) {
          const std::int64_t row = i * s[5] - s[6] + k / s[4], column = j * s[5] - s[6] + k % s[4];
          if (row >= s[2] + s[6] || column >= s[3] + s[6]) continue;  // beyond the padding: not there at all
          const bool inside = row >= 0 && row < s[2] && column >= 0 && column < s[3];
          body((p * out_h + i) * out_w + j, inside ? (p * s[2] + row) * s[3] + column : -1);
        }
}

Tensor pooled(const Sizes& s, double value) {
  return full({s[0], s[1], windows(s[2], s), windows(s[3], s)}, value, DType::f64);
}

const OpCaseRegistrar maximum({
    .name = "max_pool2d",
    .sizes = pool_sizes,
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.distinct({s[0], s[1], s[2], s[3]})};
        },
    .run = [](const Sizes& s, const Tensors& in) { return Tensors{max_pool2d(in[0], options_of(s))}; },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          const Tensor y = pooled(s, -std::numeric_limits<double>::infinity());
          for_windows(s, [&](std::int64_t to, std::int64_t from) {
            if (from >= 0) at(y, to) = std::max(at(y, to), at(in[0], from));
          });
          return Tensors{y};
        },
    .bench_sizes = {{32, 64, 112, 112, 3, 2, 1, 0}},
});

const OpCaseRegistrar average({
    .name = "avg_pool2d",
    .sizes = pool_sizes,
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal({s[0], s[1], s[2], s[3]})};
        },
    .run = [](const Sizes& s, const Tensors& in) { return Tensors{avg_pool2d(in[0], options_of(s))}; },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          const Tensor y = pooled(s, 0), count = pooled(s, 0);
          for_windows(s, [&](std::int64_t to, std::int64_t from) {
            at(count, to) += 1;
            if (from >= 0) at(y, to) += at(in[0], from);
          });
          for (std::int64_t i = 0; i < y.numel(); ++i) at(y, i) /= at(count, i);
          return Tensors{y};
        },
    .bench_sizes = {{32, 128, 56, 56, 2, 2, 0, 0}},
});

/// Sizes: images, channels, height, width, new height, new width.
const OpCaseRegistrar adaptive({
    .name = "adaptive_avg_pool2d",
    .sizes = {{0, 1, 2, 2, 1, 1},
              {1, 1, 1, 1, 1, 1},
              {2, 3, 6, 4, 3, 2},
              {1, 2, 7, 7, 14, 14},
              {1, 2, 8, 8, 14, 14},
              {1, 2, 5, 7, 3, 4},
              {1, 33, 4, 4, 1, 1},
              {1, 1, 31, 32, 1, 33},
              {1, 1, 1, 1000, 1, 7}},
    .inputs =
        [](const Sizes& s, Draw& draw) {
          return Tensors{draw.normal({s[0], s[1], s[2], s[3]})};
        },
    .run =
        [](const Sizes& s, const Tensors& in) {
          return Tensors{adaptive_avg_pool2d(in[0], static_cast<int>(s[4]), static_cast<int>(s[5]))};
        },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          const Tensor y = empty({s[0], s[1], s[4], s[5]}, DType::f64);
          // Input cell r belongs to output cell i when [r, r+1) and [i size/out, (i+1) size/out) overlap.
          const auto overlap = [](std::int64_t r, std::int64_t i, std::int64_t size, std::int64_t out) {
            return r * out < (i + 1) * size && (r + 1) * out > i * size;
          };
          for (std::int64_t at_y = 0; at_y < y.numel(); ++at_y) {
            const std::int64_t j = at_y % s[5], i = at_y / s[5] % s[4], plane = at_y / (s[4] * s[5]);
            double sum = 0, count = 0;
            for (std::int64_t p = 0; p < s[2] * s[3]; ++p)
              if (overlap(p / s[3], i, s[2], s[4]) && overlap(p % s[3], j, s[3], s[5])) {
                sum += at(in[0], plane * s[2] * s[3] + p);
                count += 1;
              }
            at(y, at_y) = sum / count;
          }
          return Tensors{y};
        },
    .bench_sizes = {{32, 2048, 8, 8, 14, 14}},
});

}  // namespace
}  // namespace glimpse::test
