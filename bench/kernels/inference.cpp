// Steps of an inference plan: on the CPU for one image in blocks of channels, by one thread, on a GPU for a batch.

#include "glimpse/kernels/inference/inference.h"

#include "glimpse/kernels/batch_norm.h"
#include "glimpse/kernels/elementwise.h"
#include "glimpse/kernels/layout.h"
#include "glimpse/kernels/reduce.h"
#include "suite.h"

namespace glimpse::bench {
namespace {

using kernels::Nonlinearity;
using kernels::PoolShape;

constexpr Nonlinearity positive = Nonlinearity::relu;

struct Images {
  std::int64_t n, channels, area;
  std::int64_t elements() const { return n * channels * area; }
};

// What steps compute, on planes (n,c,area) in double.

void rectify(std::vector<double>& y) {
  kernels::map(Cpu{}, kernels::Relu{}, static_cast<std::int64_t>(y.size()), y.data(), y.data());
}

std::vector<double> true_affine(const Images& s, const std::vector<double>& x, const std::vector<double>& scale,
                                const std::vector<double>& shift) {
  auto y = zeros(s.elements());
  const std::vector<double> mean(scale.size(), 0.0), variance(scale.size(), 1.0);
  const kernels::BatchNormInputs<double> inputs{0.0, x.data(), mean.data(), variance.data(), scale.data()};
  kernels::batch_norm_apply(Cpu{}, {s.n, s.channels, s.area}, inputs, shift.data(), y.data());
  rectify(y);
  return y;
}

std::vector<double> true_sum(const std::vector<double>& a, const std::vector<double>& b) {
  auto y = zeros(static_cast<std::int64_t>(a.size()));
  kernels::zip(Cpu{}, kernels::Add{}, kernels::same_shape(static_cast<std::int64_t>(a.size())), a.data(), b.data(),
               y.data());
  rectify(y);
  return y;
}

// --- On the CPU.

/// (blocks,area,lanes) as planes (channels,area).
std::vector<double> planes(const std::vector<float>& x, std::int64_t lanes, std::int64_t area) {
  const auto wide = widened(x);
  const std::int64_t blocks = static_cast<std::int64_t>(x.size()) / (lanes * area);
  std::vector<double> result(x.size());
  kernels::permute(Cpu{}, {3, {blocks, lanes, area}, {area * lanes, 1, lanes}}, wide.data(), result.data());
  return result;
}

/// One image in blocks of `block` channels, and what is made of it, in blocks of `block_of_y`.
struct Blocked {
  std::int64_t block, channels, area, block_of_y, area_of_y;

  std::int64_t blocks() const { return channels / block; }

  /// run(x, y); truth(planes of x) gives the planes of y.
  template <class Run, class Truth>
  Subject subject(const Rotation& rotation, Run run, Truth truth) const {
    const Cost cost = {4.0 * static_cast<double>(channels * (area + area_of_y)),
                       2.0 * static_cast<double>(channels * area)};
    const Lab lab(Cpu{}, cost, rotation);
    const auto host = draw<float>(channels * area, 1);
    const auto x = lab.input(host);
    const auto y = lab.template output<float>(channels * area_of_y);
    return {cost, lab.sets(), [=](int set) { run(x[set], y[set]); },
            [=, *this] {
              return relative_error(planes(y.host(), block_of_y, area_of_y), truth(planes(host, block, area)));
            }};
  }
};

void add_affine_and_sum(Suite& suite, std::int64_t block, const Images& s) {
  const Blocked image{block, s.channels, s.area, block, s.area};
  const auto scale = draw<float>(s.channels, 2), shift = draw<float>(s.channels, 3);
  const Sizes sizes = {{"block", block}, {"C", s.channels}, {"P", s.area}};
  suite.add_for_cpu<float>("blocked_affine", sizes, [=](Cpu, float, const Rotation& rotation) {
    return image.subject(
        rotation,
        [=](const float* x, float* y) {
          kernels::blocked_affine(block, image.blocks(), s.area, x, scale.data(), shift.data(), positive, y);
        },
        [=](const std::vector<double>& x) { return true_affine(s, x, widened(scale), widened(shift)); });
  });
  const auto other = draw<float>(s.elements(), 4);
  suite.add_for_cpu<float>("blocked_add", sizes, [=](Cpu, float, const Rotation& rotation) {
    return image.subject(
        rotation, [=](const float* x, float* y) { kernels::blocked_add(s.elements(), x, other.data(), positive, y); },
        [=](const std::vector<double>& x) { return true_sum(x, planes(other, block, s.area)); });
  });
}

void add_pools(Suite& suite, std::int64_t block, std::int64_t channels, std::int64_t side) {
  const auto add = [&](const char* name, PoolShape pool, auto run, auto truth) {
    pool.planes = channels / block;
    const Blocked image{block, channels, side * side, block, pool.out_h() * pool.out_w()};
    suite.add_for_cpu<float>(name, {{"block", block}, {"C", channels}, {"P", side * side}},
                             [=](Cpu, float, const Rotation& rotation) {
                               return image.subject(
                                   rotation, [=](const float* x, float* y) { run(block, pool, x, y); },
                                   [=](const std::vector<double>& x) {
                                     PoolShape shape = pool;
                                     shape.planes = channels;
                                     auto y = zeros(channels * image.area_of_y);
                                     truth(shape, x.data(), y.data());
                                     return y;
                                   });
                             });
  };
  add("blocked_max_pool", {0, side, side, 3, 2, 1}, kernels::blocked_max_pool,
      [](const PoolShape& s, const double* x, double* y) { kernels::max_pool_forward(Cpu{}, s, x, y, nullptr); });
  add("blocked_avg_pool", {0, side, side, 2, 2, 0}, kernels::blocked_avg_pool,
      [](const PoolShape& s, const double* x, double* y) { kernels::avg_pool_forward(Cpu{}, s, x, y); });
}

void add_ends(Suite& suite, std::int64_t block, const Images& s) {
  const Sizes sizes = {{"block", block}, {"C", s.channels}, {"P", s.area}};
  suite.add_for_cpu<float>("blocked_adaptive_average", sizes, [=](Cpu, float, const Rotation& rotation) {
    const Blocked image{block, s.channels, s.area, block, 1};
    return image.subject(
        rotation,
        [=](const float* x, float* y) {
          kernels::blocked_adaptive_average(block, {image.blocks(), s.area, 1, 1, 1}, x, y);
        },
        [=](const std::vector<double>& x) {
          auto y = zeros(s.channels);
          kernels::reduce_sum(Cpu{}, s.channels, s.area, std::int64_t{1}, 1 / static_cast<double>(s.area), x.data(),
                              y.data());
          return y;
        });
  });
  suite.add_for_cpu<float>("blocked_to_rows", sizes, [=](Cpu, float, const Rotation& rotation) {
    const Blocked image{block, s.channels, s.area, s.channels, s.area};  // a row is one block of all channels
    return image.subject(
        rotation, [=](const float* x, float* y) { kernels::blocked_to_rows(block, s.channels, s.area, x, y); },
        [](const std::vector<double>& x) { return x; });
  });
}

// --- On a GPU, templates because builds without CUDA have no such kernels.

template <class Device>
Subject affine(Device device, const Images& s, const Rotation& rotation) {
  const double n = static_cast<double>(s.elements());
  const Cost cost = {8 * n, 2 * n};
  const Lab lab(device, cost, rotation);
  const auto host = draw<float>(s.elements(), 1), host_scale = draw<float>(s.channels, 2),
             host_shift = draw<float>(s.channels, 3);
  const auto x = lab.input(host), scale = lab.input(host_scale), shift = lab.input(host_shift);
  const auto y = lab.template output<float>(s.elements());
  const std::int64_t stride = s.channels * s.area;
  return {cost, lab.sets(),
          [=](int set) {
            kernels::inference_affine(device, {s.n, s.channels, s.area}, {x[set], stride}, scale[set], shift[set],
                                      positive, {y[set], stride});
          },
          [=] { return y.error(true_affine(s, widened(host), widened(host_scale), widened(host_shift))); }};
}

template <class Device>
Subject add(Device device, const Images& s, const Rotation& rotation) {
  const double n = static_cast<double>(s.elements());
  const Cost cost = {12 * n, 2 * n};
  const Lab lab(device, cost, rotation);
  const auto host_a = draw<float>(s.elements(), 1), host_b = draw<float>(s.elements(), 2);
  const auto a = lab.input(host_a), b = lab.input(host_b), y = lab.template output<float>(s.elements());
  const std::int64_t stride = s.channels * s.area;
  return {cost, lab.sets(),
          [=](int set) {
            kernels::inference_add(device, {s.n, s.channels, s.area}, {a[set], stride}, {b[set], stride}, positive,
                                   {y[set], stride});
          },
          [=] { return y.error(true_sum(widened(host_a), widened(host_b))); }};
}

/// With bias and ReLU, as after a batch normalisation that went into the weights.
template <class Device>
Subject convolution(Device device, const kernels::ConvolutionShape& s, const Rotation& rotation) {
  const std::int64_t of_x = s.n * s.c * s.h * s.w, of_w = s.o * s.c * s.kh * s.kw,
                     of_y = s.n * s.o * s.out_h() * s.out_w();
  const Cost cost = {4.0 * static_cast<double>(of_x + of_w + of_y),
                     2.0 * static_cast<double>(of_y) * static_cast<double>(s.c * s.kh * s.kw)};
  const Lab lab(device, cost, rotation);
  const auto host_x = draw<float>(of_x, 1), host_w = draw<float>(of_w, 2), host_bias = draw<float>(s.o, 3);
  const auto x = lab.input(host_x), w = lab.input(host_w), bias = lab.input(host_bias);
  const auto y = lab.template output<float>(of_y);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::inference_convolution(device, {s, of_x / s.n, of_y / s.n}, x[set], w[set], bias[set], positive,
                                           y[set]);
          },
          [=] {
            auto truth = zeros(of_y);
            kernels::convolution_forward(Cpu{}, s, widened(host_x).data(), widened(host_w).data(),
                                         widened(host_bias).data(), truth.data());
            rectify(truth);
            return y.error(truth);
          }};
}

void add_for_batches(Suite& suite, const Images& s, const kernels::ConvolutionShape& c) {
  const Sizes sizes = {{"n", s.n}, {"C", s.channels}, {"P", s.area}};
  suite.add_for_cuda<float>("inference_affine", sizes,
                            [=](auto device, auto, const Rotation& rotation) { return affine(device, s, rotation); });
  suite.add_for_cuda<float>("inference_add", sizes,
                            [=](auto device, auto, const Rotation& rotation) { return add(device, s, rotation); });
  suite.add_for_cuda<float>(
      "inference_convolution", {{"n", c.n}, {"C", c.c}, {"P", c.h * c.w}, {"O", c.o}, {"k", c.kh}},
      [=](auto device, auto, const Rotation& rotation) { return convolution(device, c, rotation); });
}

void add_rows(Suite& suite) {
  const bool tiny = suite.tiny();
  for (const std::int64_t block : {8, 16}) {  // of processors with AVX2, and with AVX-512
    add_affine_and_sum(suite, block, tiny ? Images{1, 32, 9} : Images{1, 256, 56 * 56});
    tiny ? add_pools(suite, block, 32, 6) : add_pools(suite, block, 64, 112);
    add_ends(suite, block, tiny ? Images{1, 32, 9} : Images{1, 1664, 49});
  }
  if (tiny)
    add_for_batches(suite, {2, 3, 10}, {2, 3, 6, 6, 4, 3, 3, 1, 1});
  else
    add_for_batches(suite, {32, 256, 56 * 56}, {32, 128, 28, 28, 32, 3, 3, 1, 1});
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
