// Resampling with an antialiasing triangle filter, and the way from an image to a tensor.
#include <algorithm>
#include <cmath>

#include "glimpse/data/image.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/image_normalize.h"

namespace glimpse {
namespace {

constexpr int fraction_bits = 22;  // weights in [0,1] as integers; 255 * 2^22 and its rounding fit 31 bits

/// For each output position the input positions it depends on, and their weights.
struct Taps {
  std::vector<int> first, count;
  int widest = 0;
  std::vector<std::int32_t> weights;  // (outputs, widest)
};

Taps make_taps(int inputs, int outputs) {
  const double scale = static_cast<double>(inputs) / outputs;
  const double support = std::max(scale, 1.0);  // half the width of the triangle
  Taps taps;
  taps.widest = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.weights.assign(static_cast<std::size_t>(outputs) * static_cast<std::size_t>(taps.widest), 0);
  std::vector<double> row(static_cast<std::size_t>(taps.widest));
  for (int i = 0; i < outputs; ++i) {
    const double centre = (i + 0.5) * scale;
    const int begin = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + support + 0.5), inputs);
    double sum = 0;
    for (int k = 0; k < end - begin; ++k) {
      const double weight = std::max(0.0, 1 - std::abs((begin + k + 0.5 - centre) / support));
      row[k] = weight;
      sum += weight;
    }
    taps.first.push_back(begin);
    taps.count.push_back(end - begin);
    for (int k = 0; k < end - begin; ++k)
      taps.weights[static_cast<std::size_t>(i) * static_cast<std::size_t>(taps.widest) + static_cast<std::size_t>(k)] =
          static_cast<std::int32_t>(std::lround(row[k] / sum * (1 << fraction_bits)));
  }
  return taps;
}

std::uint8_t rounded(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> fraction_bits, 0, 255)); }

constexpr std::int32_t half = 1 << (fraction_bits - 1);

/// x (height, width, 3) -> (height, outputs, 3)
Image resize_rows(const Image& x, int outputs) {
  const Taps taps = make_taps(x.width, outputs);
  Image y{outputs, x.height,
          std::vector<std::uint8_t>(static_cast<std::size_t>(outputs) * static_cast<std::size_t>(x.height) * 3)};
  kernels::vector_for(x.height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::uint8_t* from = x.rgb.data() + row * x.width * 3;
      std::uint8_t* to = y.rgb.data() + row * outputs * 3;
      for (int i = 0; i < outputs; ++i, to += 3) {
        const std::uint8_t* pixel = from + taps.first[i] * 3;
        const std::int32_t* weights = taps.weights.data() + static_cast<std::int64_t>(i) * taps.widest;
        std::int32_t red = half, green = half, blue = half;
        for (int k = 0; k < taps.count[i]; ++k, pixel += 3) {
          red += weights[k] * pixel[0];
          green += weights[k] * pixel[1];
          blue += weights[k] * pixel[2];
        }
        to[0] = rounded(red);
        to[1] = rounded(green);
        to[2] = rounded(blue);
      }
    }
  });
  return y;
}

/// x (height, width, 3) -> (outputs, width, 3)
Image resize_columns(const Image& x, int outputs) {
  const Taps taps = make_taps(x.height, outputs);
  const std::int64_t stride = static_cast<std::int64_t>(x.width) * 3;
  Image y{x.width, outputs,
          std::vector<std::uint8_t>(static_cast<std::size_t>(stride) * static_cast<std::size_t>(outputs))};
  kernels::vector_for(outputs, 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int32_t> sums(static_cast<std::size_t>(stride));
    std::int32_t* sum = sums.data();
    for (std::int64_t i = begin; i < end; ++i) {
      std::fill(sums.begin(), sums.end(), half);
      const std::uint8_t* from = x.rgb.data() + taps.first[i] * stride;
      for (int k = 0; k < taps.count[i]; ++k, from += stride) {
        const std::int32_t weight = taps.weights[i * taps.widest + k];
#pragma omp simd
        for (std::int64_t j = 0; j < stride; ++j) sum[j] += weight * from[j];
      }
      std::uint8_t* to = y.rgb.data() + i * stride;
#pragma omp simd
      for (std::int64_t j = 0; j < stride; ++j) to[j] = rounded(sum[j]);
    }
  });
  return y;
}

void check_image(const char* who, const Image& image) {
  check(image.width > 0 && image.height > 0 &&
            image.rgb.size() == static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3,
        "{}: image of {} x {} pixels with {} values", who, image.width, image.height, image.rgb.size());
}

}  // namespace

Image resize(const Image& image, int width, int height) {
  check(width > 0 && height > 0, "resize: to {} x {} pixels", width, height);
  check_image("resize", image);
  if (width == image.width) return height == image.height ? image : resize_columns(image, height);
  Image narrow = resize_rows(image, width);
  return height == image.height ? narrow : resize_columns(narrow, height);
}

void to_planes(const Image& image, int size, const std::array<float, 3>& mean, const std::array<float, 3>& std,
               float* y) {
  check(size > 0, "to_tensor: size {}", size);
  check(std[0] > 0 && std[1] > 0 && std[2] > 0, "to_tensor: standard deviations must be positive, got {}, {}, {}",
        std[0], std[1], std[2]);
  check_image("to_tensor", image);
  const bool fits = image.width == size && image.height == size;
  const Image resized = fits ? Image{} : resize(image, size, size);
  const std::uint8_t* rgb = fits ? image.rgb.data() : resized.rgb.data();
  const kernels::Normalization normalization{{mean[0], mean[1], mean[2]}, {std[0], std[1], std[2]}};
  kernels::image_normalize(kernels::Cpu{}, 1, static_cast<std::int64_t>(size) * size, normalization, rgb, y);
}

Tensor to_tensor(const Image& image, int size, const std::array<float, 3>& mean, const std::array<float, 3>& std) {
  check(size > 0, "to_tensor: size {}", size);
  Tensor y({3, size, size}, DType::f32, Device::cpu);
  to_planes(image, size, mean, std, y.data<float>());
  return y;
}

}  // namespace glimpse
