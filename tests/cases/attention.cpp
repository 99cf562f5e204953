#include <algorithm>
#include <cmath>

#include "op_case.h"

namespace glimpse::test {
namespace {

/// Sizes: images, queries an image, locations, width of keys, channels of features. Inputs: keys, queries, score
/// vector, features and, if there is one, mask.
Tensors attention_reference(const Sizes& s, const Tensors& in, double (*activation)(double)) {
  const std::int64_t images = s[0], each = s[1], locations = s[2], width = s[3], channels = s[4];
  const Tensor context = zeros({images * each, channels}, DType::f64);
  const Tensor alpha = empty({images * each, locations}, DType::f64);
  for (std::int64_t q = 0; q < images * each; ++q) {
    const std::int64_t image = q / each;
    double largest = -1e300, total = 0;
    const auto masked = [&](std::int64_t l) {
      return in.size() > 4 && in[4].data<std::int32_t>()[image * locations + l] == 0;
    };
    for (std::int64_t l = 0; l < locations; ++l) {
      double score = 0;
      for (std::int64_t a = 0; a < width; ++a)
        score += at(in[2], a) * activation(at(in[0], (image * locations + l) * width + a) + at(in[1], q * width + a));
      at(alpha, q * locations + l) = score;
      if (!masked(l)) largest = std::max(largest, score);
    }
    for (std::int64_t l = 0; l < locations; ++l) {
      double& a = at(alpha, q * locations + l);
      a = masked(l) ? 0 : std::exp(a - largest);
      total += a;
    }
    for (std::int64_t l = 0; l < locations; ++l) {
      double& a = at(alpha, q * locations + l);
      if (total > 0) a /= total;
      for (std::int64_t d = 0; d < channels; ++d)
        at(context, q * channels + d) += a * at(in[3], (image * locations + l) * channels + d);
    }
  }
  return {context, alpha};
}

const std::vector<Sizes> sizes = {{0, 1, 3, 4, 5},   {1, 1, 1, 1, 1},   {2, 1, 5, 31, 33}, {3, 2, 7, 32, 31},
                                  {1, 5, 33, 33, 8}, {2, 3, 4, 17, 32}, {1, 2, 1000, 6, 3}};

double attention_flops(const Sizes& s) { return static_cast<double>(s[0] * s[1] * s[2] * (4 * s[3] + 2 * s[4])); }

const std::vector<Sizes> bench_sizes = {{64, 1, 196, 512, 512}, {64, 1, 49, 512, 1664}, {32, 5, 196, 512, 512}};

Tensors draw_inputs(const Sizes& s, Draw& draw) {
  return Tensors{draw.normal({s[0], s[2], s[3]}), draw.normal({s[0] * s[1], s[3]}), draw.normal({s[3]}, 0, 0.3),
                 draw.normal({s[0], s[2], s[4]})};
}

Tensors tanh_reference(const Sizes& s, const Tensors& in) {
  return attention_reference(s, in, [](double x) { return std::tanh(x); });
}

const OpCaseRegistrar tanh_scores({
    .name = "additive_attention_tanh",
    .sizes = sizes,
    .inputs = draw_inputs,
    .run =
        [](const Sizes&, const Tensors& in) {
          const AttentionResult y = additive_attention(in[0], in[1], in[2], in[3], Activation::tanh);
          return Tensors{y.context, y.alpha};
        },
    .reference = tanh_reference,
    .absolute = 256,
    .relative = 64,
    .flops = attention_flops,
    .bench_sizes = bench_sizes,
});

/// One location in four is masked, and so all of some images.
const OpCaseRegistrar masked_scores({
    .name = "additive_attention_masked",
    .sizes = sizes,
    .inputs =
        [](const Sizes& s, Draw& draw) {
          const Tensor mask = draw.words({s[0], s[2]}, 4);
          for (std::int64_t l = 0; s[0] > 2 && l < s[2]; ++l) mask.data<std::int32_t>()[s[2] + l] = 0;
          Tensors in = draw_inputs(s, draw);
          in.push_back(mask);
          return in;
        },
    .run =
        [](const Sizes&, const Tensors& in) {
          const AttentionResult y = additive_attention(in[0], in[1], in[2], in[3], Activation::tanh, in[4]);
          return Tensors{y.context, y.alpha};
        },
    .reference = tanh_reference,
    .absolute = 256,
    .relative = 64,
});

/// Keys are 1/4 off the multiples of 1/2 that queries are, so that no sum comes near the kink at 0.
const OpCaseRegistrar relu_scores({
    .name = "additive_attention_relu",
    .sizes = sizes,
    .inputs =
        [](const Sizes& s, Draw& draw) {
          const Tensor keys = draw.normal({s[0], s[2], s[3]}), query = draw.normal({s[0] * s[1], s[3]});
          for (std::int64_t i = 0; i < keys.numel(); ++i) at(keys, i) = std::round(2 * at(keys, i)) / 2 + 0.25;
          for (std::int64_t i = 0; i < query.numel(); ++i) at(query, i) = std::round(2 * at(query, i)) / 2;
          return Tensors{keys, query, draw.normal({s[3]}, 0, 0.3), draw.normal({s[0], s[2], s[4]})};
        },
    .run =
        [](const Sizes&, const Tensors& in) {
          const AttentionResult y = additive_attention(in[0], in[1], in[2], in[3], Activation::relu);
          return Tensors{y.context, y.alpha};
        },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          return attention_reference(s, in, [](double x) { return std::max(x, 0.0); });
        },
    .absolute = 256,
    .relative = 64,
    .flops = attention_flops,
    .bench_sizes = bench_sizes,
});

}  // namespace
}  // namespace glimpse::test
