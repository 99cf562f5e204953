// Additive attention with tanh scores. Bytes and operations are those stated in kernels/attention*.cu, of T queries an
// image where there are several.

#include "glimpse/kernels/attention/attention.h"

#include "suite.h"

namespace glimpse::bench {
namespace {

using kernels::AttentionInputs;
using kernels::AttentionShape;

struct AttentionSizes {
  std::int64_t images, locations, width, channels, queries;  // queries of each image

  std::int64_t rows() const { return images * queries; }
  Sizes named() const { return {{"B", images}, {"L", locations}, {"A", width}, {"D", channels}, {"Q", queries}}; }
};

double number(std::int64_t n) { return static_cast<double>(n); }

/// Host arrays, and where they lie on the device.
template <class Device, class T>
struct Problem {
  using A = Accumulator<T>;
  AttentionSizes sizes;
  std::vector<std::int64_t> first;  // (B+1)
  std::vector<T> keys, features, score, query;
  Buffers<Device, std::int64_t> device_first;
  Buffers<Device, T> device_keys, device_features, device_score, device_query;

  Problem(const Lab<Device>& lab, const AttentionSizes& s)
      : sizes(s),
        first(firsts(s)),
        keys(draw<T>(s.images * s.locations * s.width, 1)),
        features(draw<T>(s.images * s.locations * s.channels, 2)),
        score(draw<T>(s.width, 3, 0.3)),
        query(draw<T>(s.rows() * s.width, 4)),
        device_first(lab.shared_input(first)),
        device_keys(lab.input(keys)),
        device_features(lab.input(features)),
        device_score(lab.shared_input(score)),
        device_query(lab.input(query)) {}

  static std::vector<std::int64_t> firsts(const AttentionSizes& s) {
    std::vector<std::int64_t> result;
    for (std::int64_t i = 0; i <= s.images; ++i) result.push_back(i * s.queries);
    return result;
  }
  AttentionShape shape(const std::int64_t* firsts_there) const {
    return {sizes.images, sizes.locations, sizes.width, sizes.channels, nullptr, firsts_there, nullptr, sizes.rows()};
  }
  AttentionShape device_shape() const { return shape(sizes.queries == 1 ? nullptr : device_first[0]); }
  AttentionInputs<T> inputs(int set) const {
    return {Activation::tanh, device_keys[set], device_features[set], device_score[0], device_query[set], sizes.width};
  }

  /// f(shape, inputs) with the numbers in double on the host.
  template <class F>
  void in_double(F f) const {
    const auto wide_keys = widened(keys), wide_features = widened(features), wide_score = widened(score),
               wide_query = widened(query);
    f(shape(first.data()), AttentionInputs<double>{Activation::tanh, wide_keys.data(), wide_features.data(),
                                                   wide_score.data(), wide_query.data(), sizes.width});
  }
};

template <class T>
Cost cost_of_step(const AttentionSizes& s, double operations_of_width, double operations_of_channels) {
  using A = Accumulator<T>;
  const double rows = number(s.rows()), locations = number(s.images * s.locations);
  return {locations * number(s.width + s.channels) * sizeof(T) + rows * number(s.width + s.channels) * sizeof(T) +
              rows * number(s.locations) * sizeof(A),
          rows * number(s.locations) *
              (operations_of_width * number(s.width) + operations_of_channels * number(s.channels))};
}

template <class Device, class T>
Subject forward(Device device, T, const AttentionSizes& s, const Rotation& rotation) {
  using A = Accumulator<T>;
  const Cost cost = cost_of_step<T>(s, 6, 2);
  const Lab lab(device, cost, rotation);
  const auto p = std::make_shared<Problem<Device, T>>(lab, s);
  const auto alpha = lab.template output<A>(s.rows() * s.locations);
  const auto context = lab.template output<T>(s.rows() * s.channels);
  return {
      cost, lab.sets(),
      [=](int set) { kernels::attention_forward(device, p->device_shape(), p->inputs(set), alpha[set], context[set]); },
      [=] {
        auto true_alpha = zeros(s.rows() * s.locations), true_context = zeros(s.rows() * s.channels);
        p->in_double([&](const AttentionShape& shape, const AttentionInputs<double>& in) {
          kernels::attention_forward(Cpu{}, shape, in, true_alpha.data(), true_context.data());
        });
        return std::max(alpha.error(true_alpha), context.error(true_context));
      }};
}

/// What a forward pass leaves and a backward pass receives.
template <class T>
struct Kept {
  using A = Accumulator<T>;
  std::vector<A> alpha;
  std::vector<T> dcontext;

  explicit Kept(const AttentionSizes& s)
      : alpha(static_cast<std::size_t>(s.rows() * s.locations)), dcontext(draw<T>(s.rows() * s.channels, 6)) {
    const auto raw = draw<float>(s.rows() * s.locations, 5);  // shares of an uneven distribution
    for (std::int64_t row = 0; row < s.rows(); ++row) {
      double sum = 0;
      const auto at = [&](std::int64_t l) { return static_cast<std::size_t>(row * s.locations + l); };
      for (std::int64_t l = 0; l < s.locations; ++l) sum += std::exp(static_cast<double>(raw[at(l)]));
      for (std::int64_t l = 0; l < s.locations; ++l)
        alpha[at(l)] = static_cast<A>(std::exp(static_cast<double>(raw[at(l)])) / sum);
    }
  }
};

template <class Device, class T>
Subject backward(Device device, T, const AttentionSizes& s, const Rotation& rotation) {
  using A = Accumulator<T>;
  Cost cost = cost_of_step<T>(s, 12, 2);
  cost.bytes += number(s.rows() * s.locations) * sizeof(A);  // alpha in, gradients of scores out
  const Lab lab(device, cost, rotation);
  const auto p = std::make_shared<Problem<Device, T>>(lab, s);
  const auto kept = std::make_shared<Kept<T>>(s);
  const auto alpha = lab.input(kept->alpha);
  const auto dcontext = lab.input(kept->dcontext);
  const auto descore = lab.template output<A>(s.rows() * s.locations);
  const auto dquery = lab.template output<T>(s.rows() * s.width);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::attention_backward(device, p->device_shape(), p->inputs(set),
                                        {alpha[set], dcontext[set], nullptr, descore[set], dquery[set], s.width});
          },
          [=] {
            auto true_descore = zeros(s.rows() * s.locations), true_dquery = zeros(s.rows() * s.width);
            const auto wide_alpha = widened(kept->alpha), wide_dcontext = widened(kept->dcontext);
            p->in_double([&](const AttentionShape& shape, const AttentionInputs<double>& in) {
              kernels::attention_backward(
                  Cpu{}, shape, in,
                  {wide_alpha.data(), wide_dcontext.data(), nullptr, true_descore.data(), true_dquery.data(), s.width});
            });
            return std::max(descore.error(true_descore), dquery.error(true_dquery));
          }};
}

template <class Device, class T>
Subject backward_keys(Device device, T, const AttentionSizes& s, const Rotation& rotation) {
  using A = Accumulator<T>;
  const double cells = number(s.images * s.locations * s.width);
  const Cost cost = {2 * cells * sizeof(T) + number(s.rows() * (s.width * static_cast<std::int64_t>(sizeof(T)) +
                                                                s.locations * static_cast<std::int64_t>(sizeof(A)))),
                     12 * cells * number(s.queries)};
  const Lab lab(device, cost, rotation);
  const auto p = std::make_shared<Problem<Device, T>>(lab, s);
  const auto weights = draw<A>(s.rows() * s.locations, 7);
  const auto descore = lab.input(weights);
  const auto dkeys = lab.template output<T>(s.images * s.locations * s.width);
  const auto dscore = lab.template output<A>(s.width);
  const auto partial = lab.template output<T>(s.images * s.width);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::attention_backward_keys(device, p->device_shape(), p->inputs(set), descore[set], dkeys[set],
                                             dscore[set], partial[set]);
          },
          [=] {
            auto true_dkeys = zeros(s.images * s.locations * s.width), true_dscore = zeros(s.width),
                 workspace = zeros(s.images * s.width);
            const auto wide = widened(weights);
            p->in_double([&](const AttentionShape& shape, const AttentionInputs<double>& in) {
              kernels::attention_backward_keys(Cpu{}, shape, in, wide.data(), true_dkeys.data(), true_dscore.data(),
                                               workspace.data());
            });
            return std::max(dkeys.error(true_dkeys), dscore.error(true_dscore));
          }};
}

template <class Device, class T>
Subject backward_features(Device device, T, const AttentionSizes& s, const Rotation& rotation) {
  using A = Accumulator<T>;
  const double cells = number(s.images * s.locations * s.channels);
  const Cost cost = {cells * sizeof(T) + number(s.rows() * (s.channels * static_cast<std::int64_t>(sizeof(T)) +
                                                            s.locations * static_cast<std::int64_t>(sizeof(A)))),
                     2 * cells * number(s.queries)};
  const Lab lab(device, cost, rotation);
  const auto kept = std::make_shared<Kept<T>>(s);
  const auto firsts = Problem<Device, T>::firsts(s);
  const auto first = lab.shared_input(firsts);
  const auto alpha = lab.input(kept->alpha);
  const auto dcontext = lab.input(kept->dcontext);
  const auto dfeatures = lab.template output<T>(s.images * s.locations * s.channels);
  const auto shape = [=](const std::int64_t* there) {
    return AttentionShape{s.images, s.locations, s.width, s.channels, nullptr, there, nullptr, s.rows()};
  };
  return {cost, lab.sets(),
          [=](int set) {
            kernels::attention_backward_features(device, shape(first[0]), alpha[set], dcontext[set], dfeatures[set]);
          },
          [=] {
            auto truth = zeros(s.images * s.locations * s.channels);
            kernels::attention_backward_features(Cpu{}, shape(firsts.data()), widened(kept->alpha).data(),
                                                 widened(kept->dcontext).data(), truth.data());
            return dfeatures.error(truth);
          }};
}

void add_rows(Suite& suite) {
  std::vector<AttentionSizes> steps, beams, captions;
  if (suite.tiny()) {
    steps = {{2, 20, 32, 64, 1}};
    beams = {{2, 20, 32, 64, 5}};
    captions = {{2, 20, 32, 64, 3}};
  } else {
    for (const std::int64_t images : {64, 256})
      for (const auto& [locations, channels] :
           {std::pair<std::int64_t, std::int64_t>{196, 2048}, {196, 512}, {49, 1664}})
        steps.push_back({images, locations, 512, channels, 1});
    beams = {{32, 196, 512, 2048, 5}, {32, 49, 512, 1664, 5}};
    captions = {{64, 196, 512, 512, 12}, {64, 49, 512, 1664, 12}};  // 12 words
  }
  const auto add = [&](const char* name, const AttentionSizes& s, auto make) {
    suite.add<float, bf16>(name, s.named(), [=](auto device, auto type, const Rotation& rotation) {
      return make(device, type, s, rotation);
    });
  };
  const auto make_forward = [](auto... a) { return forward(a...); };
  for (const AttentionSizes& s : steps) add("attention_forward", s, make_forward);
  for (const AttentionSizes& s : beams) add("attention_forward", s, make_forward);
  for (const AttentionSizes& s : steps) add("attention_backward", s, [](auto... a) { return backward(a...); });
  for (const AttentionSizes& s : captions) {
    add("attention_backward_keys", s, [](auto... a) { return backward_keys(a...); });
    add("attention_backward_features", s, [](auto... a) { return backward_features(a...); });
  }
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
