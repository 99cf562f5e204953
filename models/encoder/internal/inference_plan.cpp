#include "glimpse/models/encoder/internal/inference_plan.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"

namespace glimpse {
namespace {

/// Of a tensor on any device.
std::vector<double> values_of(const Tensor& x) { return x.to(Device::cpu).to_vector<double>(); }

/// Scale and shift per channel that equal a batch norm.
struct Affine {
  std::vector<double> scale, shift;
  explicit Affine(const BatchNorm2d& norm) {
    const auto weight = values_of(norm.weight), bias = values_of(norm.bias);
    const auto mean = values_of(norm.state.running_mean), variance = values_of(norm.state.running_var);
    for (std::size_t c = 0; c < weight.size(); ++c) {
      scale.push_back(weight[c] / std::sqrt(variance[c] + norm.eps));
      shift.push_back(bias[c] - mean[c] * scale[c]);
    }
  }
};

/// The weights of a convolution, the rows of each channel multiplied by its factor.
std::vector<float> scaled(const Tensor& weight, const std::vector<double>& factor) {
  const Tensor host = weight.to(Device::cpu).to(DType::f32);
  const float* w = host.data<float>();
  std::vector<float> result(host.numel());
  const std::int64_t width = host.numel() / std::ssize(factor);
  kernels::parallel_for(std::ssize(factor), 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c)
      for (std::int64_t k = c * width; k < (c + 1) * width; ++k)
        result[k] = static_cast<float>(static_cast<double>(w[k]) * factor[c]);
  });
  return result;
}

class Planner {
 public:
  Planner(const Network& network, std::int64_t block)
      : layers_(network.layers),
        block_(block),
        consumers_(layers_.size()),
        places_(layers_.size()),
        done_(layers_.size(), false) {
    for (std::size_t i = 0; i < layers_.size(); ++i)
      for (const int input : layers_[i].inputs) consumers_[input].push_back(static_cast<int>(i));
  }

  InferencePlan run() {
    places_[0] = new_buffer(layers_[0].shape, true);
    place_concatenations();
    for (int i = 1; i < static_cast<int>(layers_.size()); ++i)
      if (!done_[i]) plan_layer(i);
    plan_.result = places_.back();
    plan_.shape = layers_.back().shape;
    use(plan_.result);
    return std::move(plan_);
  }

 private:
  const Layer& layer(int i) const { return layers_[i]; }
  Place& place(int i) { return places_[i]; }
  int step() const { return static_cast<int>(plan_.steps.size()); }

  Place new_buffer(const FeatureShape& shape, bool plain = false) {
    plan_.buffers.push_back({shape, plain});
    return {static_cast<int>(plan_.buffers.size()) - 1, 0};
  }

  /// Where the result of layer i goes: its place in a concatenation, or memory of its own.
  Place target(int i) {
    if (place(i).buffer < 0) place(i) = new_buffer(layer(i).shape);
    use(place(i));
    return place(i);
  }

  /// The current step reads or writes a place.
  void use(const Place& p) {
    InferenceBuffer& buffer = plan_.buffers[p.buffer];
    if (buffer.begin < 0) buffer.begin = step();
    buffer.end = step();
  }

  Place source(int i) {
    use(place(i));
    return place(i);
  }

  /// From the last concatenation to the first, so that a chain of them ends up in one buffer.
  void place_concatenations() {
    for (int i = static_cast<int>(layers_.size()) - 1; i > 0; --i) {
      if (!std::holds_alternative<ConcatLayer>(layer(i).kind)) continue;
      if (place(i).buffer < 0) place(i) = new_buffer(layer(i).shape);
      std::int64_t first = place(i).first;
      for (const int input : layer(i).inputs) {
        check(first % block_ == 0, "inference plan: joined channels start at {}, no multiple of {}", first, block_);
        if (place(input).buffer < 0) place(input) = {place(i).buffer, first};
        first += layer(input).shape.channels;
      }
    }
  }

  /// The only consumer of layer i if it is of this kind.
  template <class Kind>
  const Kind* next(int i) const {
    const auto& consumers = consumers_[i];
    return consumers.size() == 1 ? std::get_if<Kind>(&layer(consumers[0]).kind) : nullptr;
  }
  int take_next(int i) {
    const int taken = consumers_[i][0];
    done_[taken] = true;
    return taken;
  }

  int take_activation(int i, InferenceStep& s) {
    const auto* activation = next<ActivationLayer>(i);
    if (!activation) return i;
    s.function = activation->function;
    return take_next(i);
  }

  void plan_layer(int i) {
    std::visit([&](const auto& kind) { plan(i, kind); }, layer(i).kind);
  }

  /// A step that reads the first input of layer i.
  InferenceStep step_of(int i, InferenceStep::Kind kind) const {
    InferenceStep s;
    s.kind = kind;
    s.in = layer(layer(i).inputs[0]).shape;
    return s;
  }

  void plan(int, const ImageLayer&) {}  // buffer 0

  void plan(int i, const RenormaliseLayer& pixels) {
    InferenceStep s = step_of(i, InferenceStep::Kind::affine);
    s.weight = pixels.factor;
    s.bias = pixels.shift;
    place(i) = new_buffer(layer(i).shape, true);
    emit(s, layer(i).inputs[0], i);
  }

  void plan(int i, const BatchNormLayer& norm) {
    InferenceStep s = step_of(i, InferenceStep::Kind::affine);
    const Affine affine(norm.module);
    s.weight.assign(affine.scale.begin(), affine.scale.end());
    s.bias.assign(affine.shift.begin(), affine.shift.end());
    const int end = take_activation(i, s);
    emit(s, layer(i).inputs[0], end);
  }

  void plan(int i, const LayerNormLayer& norm) {
    InferenceStep s = step_of(i, InferenceStep::Kind::layer_norm);
    const auto weight = values_of(norm.module.weight), bias = values_of(norm.module.bias);
    s.weight.assign(weight.begin(), weight.end());
    s.bias.assign(bias.begin(), bias.end());
    s.eps = norm.module.eps;
    emit(s, layer(i).inputs[0], i);
  }

  void plan(int i, const ChannelScaleLayer& scale) {
    InferenceStep s = step_of(i, InferenceStep::Kind::affine);
    const auto factor = values_of(scale.factor);
    s.weight.assign(factor.begin(), factor.end());
    s.bias.assign(factor.size(), 0.0f);
    const int end = take_activation(i, s);
    emit(s, layer(i).inputs[0], end);
  }

  void plan(int i, const ActivationLayer& activation) {
    InferenceStep s = step_of(i, InferenceStep::Kind::affine);
    s.weight.assign(s.in.channels, 1.0f);
    s.bias.assign(s.in.channels, 0.0f);
    s.function = activation.function;
    emit(s, layer(i).inputs[0], i);
  }

  void plan(int i, const MaxPoolLayer& pool) { plan_pool(i, InferenceStep::Kind::max_pool, pool.options); }
  void plan(int i, const AvgPoolLayer& pool) { plan_pool(i, InferenceStep::Kind::avg_pool, pool.options); }
  void plan(int i, const AdaptiveAverageLayer&) { plan_pool(i, InferenceStep::Kind::adaptive_average, {}); }
  void plan_pool(int i, InferenceStep::Kind kind, const PoolOptions& options) {
    InferenceStep s = step_of(i, kind);
    s.pool = options;
    emit(s, layer(i).inputs[0], i);
  }

  void plan(int i, const AddLayer&) { plan_pair(i, InferenceStep::Kind::add); }
  void plan(int i, const MultiplyLayer&) { plan_pair(i, InferenceStep::Kind::multiply); }
  void plan_pair(int i, InferenceStep::Kind kind) {
    InferenceStep s = step_of(i, kind);
    s.x2 = source(layer(i).inputs[1]);
    const int end = take_activation(i, s);
    emit(s, layer(i).inputs[0], end);
  }

  void emit(InferenceStep& s, int input, int end) {
    s.x = source(input);
    s.out = layer(end).shape;
    s.y = target(end);
    plan_.steps.push_back(std::move(s));
    done_[end] = true;
  }

  /// Inputs that could not be made in place are copied there.
  void plan(int i, const ConcatLayer&) {
    std::int64_t first = place(i).first;
    for (const int input : layer(i).inputs) {
      const Place wanted{place(i).buffer, first};
      first += layer(input).shape.channels;
      if (place(input).buffer == wanted.buffer && place(input).first == wanted.first) continue;
      InferenceStep s;
      s.in = s.out = layer(input).shape;
      s.x = source(input);
      s.y = wanted;
      use(wanted);
      plan_.steps.push_back(std::move(s));
    }
  }

  void plan(int i, const ConvolutionLayer& convolution) {
    InferenceStep s = step_of(i, InferenceStep::Kind::convolution);
    const Conv2dOptions& o = convolution.module.options;
    s.shape = {
        1,        s.in.channels, s.in.height, s.in.width, convolution.out, convolution.kernel, convolution.kernel,
        o.stride, o.padding,     o.dilation,  o.groups,   o.extra_padding};
    std::vector<double> factor(convolution.out, 1.0), bias(convolution.out, 0.0);
    if (convolution.with_bias) bias = values_of(convolution.module.bias);
    const auto scale = [&](const std::vector<double>& by) {
      for (std::size_t c = 0; c < bias.size(); ++c) {
        factor[c] *= by[c];
        bias[c] *= by[c];
      }
    };
    int end = i;
    if (const auto* norm = next<BatchNormLayer>(end)) {
      const Affine affine(norm->module);
      scale(affine.scale);
      for (std::size_t c = 0; c < bias.size(); ++c) bias[c] += affine.shift[c];
      end = take_next(end);
    }
    if (const auto* factors = next<ChannelScaleLayer>(end)) {
      scale(values_of(factors->factor));
      end = take_next(end);
    }
    s.weight = scaled(convolution.module.weight, factor);
    s.bias.assign(bias.begin(), bias.end());
    if (next<AddLayer>(end)) end = take_addition(i, end, s);
    end = take_activation(end, s);
    emit(s, layer(i).inputs[0], end);
  }

  /// Lets convolution i, whose result is layer `main`, add into the memory of the shortcut, if that is there already,
  /// has memory of its own, and nobody needs its value afterwards.
  int take_addition(int i, int main, InferenceStep& s) {
    const int sum = consumers_[main][0];
    const auto& inputs = layer(sum).inputs;
    const int shortcut = inputs[0] == main ? inputs[1] : inputs[0];
    const int end = next<ActivationLayer>(sum) ? consumers_[sum][0] : sum;
    const auto& users = consumers_[shortcut];
    const bool last_use = std::all_of(users.begin(), users.end(), [&](int user) { return user == sum || user < i; });
    if (!last_use || !done_[shortcut] || place(end).buffer >= 0) return main;
    if (plan_.buffers[place(shortcut).buffer].shape != layer(shortcut).shape) return main;
    place(end) = place(shortcut);
    s.accumulate = true;
    return take_next(main);
  }

  const std::vector<Layer>& layers_;
  std::int64_t block_;
  std::vector<std::vector<int>> consumers_;
  std::vector<Place> places_;
  std::vector<bool> done_;  // layers whose result is in place, or that are part of an earlier step
  InferencePlan plan_;
};

constexpr std::int64_t alignment = 64;

std::int64_t rounded(std::int64_t n, std::int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

}  // namespace

std::vector<std::int64_t> lay_out(const std::vector<InferenceBuffer>& buffers, std::int64_t block) {
  std::vector<std::int64_t> offsets(buffers.size() + 1, 0), sizes;
  for (const InferenceBuffer& b : buffers) {
    const std::int64_t channels = rounded(b.shape.channels, block);
    sizes.push_back(rounded(channels * b.shape.height * b.shape.width * 4, alignment));
  }
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    std::vector<std::size_t> alive;  // earlier ones in the way, by offset
    for (std::size_t j = 0; j < i; ++j)
      if (buffers[j].begin <= buffers[i].end && buffers[i].begin <= buffers[j].end) alive.push_back(j);
    std::sort(alive.begin(), alive.end(), [&](std::size_t a, std::size_t b) { return offsets[a] < offsets[b]; });
    for (const std::size_t j : alive)
      if (offsets[i] + sizes[i] > offsets[j]) offsets[i] = std::max(offsets[i], offsets[j] + sizes[j]);
    offsets.back() = std::max(offsets.back(), offsets[i] + sizes[i]);
  }
  return offsets;
}

InferencePlan plan_inference(const Network& network, std::int64_t block) { return Planner(network, block).run(); }

}  // namespace glimpse
