#include "glimpse/engine/layers.h"

#include <cmath>

namespace glimpse {
namespace {

Tensor uniform_parameter(const Shape& shape, double bound, Generator& generator) {
  Tensor x = empty(shape);
  fill_uniform(x, -bound, bound, generator);
  return x.set_requires_grad();
}

Tensor normal_parameter(const Shape& shape, double std, Generator& generator) {
  Tensor x = empty(shape);
  fill_normal(x, 0, std, generator);
  return x.set_requires_grad();
}

}  // namespace

Linear::Linear(std::int64_t in, std::int64_t out, bool with_bias, Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  weight = uniform_parameter({out, in}, bound, generator);
  if (with_bias) bias = uniform_parameter({out}, bound, generator);
}

Embedding::Embedding(std::int64_t words, std::int64_t dim, Generator& generator)
    : weight(normal_parameter({words, dim}, 1, generator)) {}

Conv2d::Conv2d(std::int64_t in, std::int64_t out, int kernel, const Conv2dOptions& conv_options, bool with_bias,
               Generator& generator)
    : options(conv_options) {
  const double fan_out = static_cast<double>(out * kernel * kernel);
  weight = normal_parameter({out, in / options.groups, kernel, kernel}, std::sqrt(2 / fan_out), generator);
  if (with_bias) bias = zeros({out}).set_requires_grad();
}

BatchNorm2d::BatchNorm2d(std::int64_t channels)
    : weight(full({channels}, 1).set_requires_grad()),
      bias(zeros({channels}).set_requires_grad()),
      state{zeros({channels}), full({channels}, 1)} {}

LayerNorm2d::LayerNorm2d(std::int64_t channels)
    : weight(full({channels}, 1).set_requires_grad()), bias(zeros({channels}).set_requires_grad()) {}

LstmCell::LstmCell(std::int64_t in, std::int64_t hidden, Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  weight_ih = uniform_parameter({4 * hidden, in}, bound, generator);
  weight_hh = uniform_parameter({4 * hidden, hidden}, bound, generator);
  bias_ih = uniform_parameter({4 * hidden}, bound, generator);
  bias_hh = uniform_parameter({4 * hidden}, bound, generator);
}

}  // namespace glimpse
