#include "glimpse/models/encoder/network.h"

#include <algorithm>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/convolution.h"
#include "glimpse/kernels/pooling.h"

namespace glimpse {
namespace {

constexpr double initial_scale = 1e-6;  // of ConvNeXt's blocks (arXiv 2201.03545, 4)

/// One function object from several lambdas, for std::visit.
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::vector<TensorInfo> tensors_of(const Layer& layer) {
  if (const auto* k = std::get_if<ConvolutionLayer>(&layer.kind)) {
    const Shape shape =
        k->linear ? Shape{k->out, k->in} : Shape{k->out, k->in / k->module.options.groups, k->kernel, k->kernel};
    std::vector<TensorInfo> list{{layer.name + ".weight", shape}};
    if (k->with_bias) list.push_back({layer.name + ".bias", {k->out}});
    return list;
  }
  std::vector<TensorInfo> list;
  if (const auto* k = std::get_if<BatchNormLayer>(&layer.kind))
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
      list.push_back({layer.name + part, {k->channels}});
  if (const auto* k = std::get_if<LayerNormLayer>(&layer.kind))
    list = {{layer.name + ".weight", {k->channels}}, {layer.name + ".bias", {k->channels}}};
  if (const auto* k = std::get_if<ChannelScaleLayer>(&layer.kind)) list = {{layer.name, {k->channels, 1, 1}}};
  return list;
}

Tensor run(const RenormaliseLayer& k, const Tensor& x) {
  const auto per_channel = [&](const std::vector<float>& values) {
    return from_vector(values).reshape({std::ssize(values), 1, 1}).to(x.device());
  };
  return x * per_channel(k.factor) + per_channel(k.shift);
}

Tensor run(const ConvolutionLayer& k, const Tensor& x) {
  if (!k.linear) return k.module(x);
  return conv2d(x, k.module.weight.reshape({k.out, k.in, 1, 1}), k.module.bias, k.module.options);
}

Tensor run(const ActivationLayer& k, const Tensor& x) {
  using kernels::Nonlinearity;
  switch (k.function) {
    case Nonlinearity::none:
      return x;
    case Nonlinearity::relu:
      return relu(x);
    case Nonlinearity::relu6:
      return relu6(x);
    case Nonlinearity::silu:
      return silu(x);
    case Nonlinearity::gelu:
      return gelu(x);
    case Nonlinearity::sigmoid:
      return sigmoid(x);
  }
  fail("network: no function of number {}", static_cast<int>(k.function));
}

/// The result of one layer from those of its inputs.
Tensor run(const Layer& layer, const std::vector<Tensor>& values) {
  const auto input = [&](std::size_t i) { return values[layer.inputs[i]]; };
  return std::visit(Overloaded{[&](const ImageLayer&) { return values[0]; },
                               [&](const RenormaliseLayer& k) { return run(k, input(0)); },
                               [&](const ConvolutionLayer& k) { return run(k, input(0)); },
                               [&](const BatchNormLayer& k) { return k.module(input(0)); },
                               [&](const LayerNormLayer& k) { return k.module(input(0)); },
                               [&](const ChannelScaleLayer& k) { return input(0) * k.factor; },
                               [&](const ActivationLayer& k) { return run(k, input(0)); },
                               [&](const MaxPoolLayer& k) { return max_pool2d(input(0), k.options); },
                               [&](const AvgPoolLayer& k) { return avg_pool2d(input(0), k.options); },
                               [&](const AdaptiveAverageLayer&) {
                                 return adaptive_avg_pool2d(input(0), static_cast<int>(layer.shape.height),
                                                            static_cast<int>(layer.shape.width));
                               },
                               [&](const AddLayer&) { return input(0) + input(1); },
                               [&](const MultiplyLayer&) { return input(0) * input(1); },
                               [&](const ConcatLayer&) {
                                 return concat({input(0), input(1)}, 1);
                               }},
                    layer.kind);
}

}  // namespace

int Network::stage_index(const std::string& stage) const {
  const auto found = std::find(stages.begin(), stages.end(), stage);
  check(found != stages.end(), "no stage '{}'; there are {}", stage, fmt::join(stages, ", "));
  return static_cast<int>(found - stages.begin());
}

std::vector<TensorInfo> Network::tensors() const {
  std::vector<TensorInfo> all;
  for (const Layer& layer : layers)
    for (TensorInfo& tensor : tensors_of(layer)) all.push_back(std::move(tensor));
  return all;
}

std::vector<std::string> Network::cut_after(const std::string& stage) {
  const int last = stage_index(stage.empty() ? default_stage : stage);
  const auto first_dropped = std::find_if(layers.begin(), layers.end(), [&](const Layer& l) { return l.stage > last; });
  std::vector<std::string> names;
  for (auto layer = first_dropped; layer != layers.end(); ++layer)
    for (const TensorInfo& tensor : tensors_of(*layer)) names.push_back(tensor.name);
  layers.erase(first_dropped, layers.end());
  stages.resize(static_cast<std::size_t>(last) + 1);
  default_stage = stages.back();
  return names;
}

void Network::allocate(Generator& generator) {
  for (Layer& layer : layers) {
    if (auto* k = std::get_if<ConvolutionLayer>(&layer.kind)) {
      k->module = Conv2d(k->in, k->out, k->kernel, k->module.options, k->with_bias, generator);
      if (k->linear) k->module.weight = k->module.weight.detach().reshape({k->out, k->in});
      k->module.weight.set_requires_grad(false);
      if (k->with_bias) k->module.bias.set_requires_grad(false);
    } else if (auto* b = std::get_if<BatchNormLayer>(&layer.kind)) {
      const BatchNormOptions options{b->module.eps, b->module.momentum};
      b->module = BatchNorm2d(b->channels);
      b->module.eps = options.eps;
      b->module.momentum = options.momentum;
      b->module.weight.set_requires_grad(false);
      b->module.bias.set_requires_grad(false);
    } else if (auto* n = std::get_if<LayerNormLayer>(&layer.kind)) {
      n->module = LayerNorm2d(n->channels);
      n->module.weight.set_requires_grad(false);
      n->module.bias.set_requires_grad(false);
    } else if (auto* s = std::get_if<ChannelScaleLayer>(&layer.kind)) {
      s->factor = full({s->channels, 1, 1}, initial_scale);
    }
  }
}

int Network::split_before(int stage) const {
  const auto later = [&](const Layer& layer) { return layer.stage >= stage; };
  const auto first = std::find_if(layers.begin(), layers.end(), later);
  const int last = static_cast<int>(first - layers.begin()) - 1;
  const bool alone = std::all_of(first, layers.end(), [&](const Layer& layer) {
    return std::all_of(layer.inputs.begin(), layer.inputs.end(), [&](int input) { return input >= last; });
  });
  return alone ? last : -1;
}

Tensor Network::forward(const Tensor& x, int first) const {
  std::vector<std::size_t> last_use(layers.size(), 0);
  for (std::size_t i = 0; i < layers.size(); ++i)
    for (const int input : layers[i].inputs) last_use[input] = i;
  std::vector<Tensor> values(layers.size());
  const auto begin = static_cast<std::size_t>(first);
  values[begin] = x;
  for (std::size_t i = begin + 1; i < layers.size(); ++i) {
    values[i] = run(layers[i], values);
    for (const int input : layers[i].inputs)
      if (last_use[input] == i) values[input] = Tensor();
  }
  return values.back();
}

void Network::visit(Visitor& v) {
  for (Layer& layer : layers) {
    if (auto* k = std::get_if<ConvolutionLayer>(&layer.kind))
      v(layer.name, k->module);
    else if (auto* b = std::get_if<BatchNormLayer>(&layer.kind))
      v(layer.name, b->module);
    else if (auto* n = std::get_if<LayerNormLayer>(&layer.kind))
      v(layer.name, n->module);
    else if (auto* s = std::get_if<ChannelScaleLayer>(&layer.kind))
      v(layer.name, s->factor);
  }
}

NetworkBuilder::NetworkBuilder(int size, int grid) : grid_(grid) {
  check(size > 0, "images of {} pixels: the size must be positive", size);
  network_.layers.push_back({ImageLayer{}, "", {}, -1, {3, size, size}});
}

void NetworkBuilder::begin_stage(const std::string& name) { network_.stages.push_back(name); }

template <class Kind>
int NetworkBuilder::push(Kind kind, const std::string& name, std::vector<int> inputs, const FeatureShape& shape) {
  check(shape.height > 0 && shape.width > 0, "images of {} pixels are too small for stage '{}'",
        network_.layers[0].shape.height, network_.stages.back());
  const int stage = static_cast<int>(network_.stages.size()) - 1;
  network_.layers.push_back({std::move(kind), name, std::move(inputs), stage, shape});
  return static_cast<int>(network_.layers.size()) - 1;
}

int NetworkBuilder::convolution(const std::string& name, int x, std::int64_t out, int kernel,
                                const Conv2dOptions& options, bool with_bias) {
  const FeatureShape in = shape(x);
  const kernels::ConvolutionShape sizes{1,
                                        in.channels,
                                        in.height,
                                        in.width,
                                        out,
                                        kernel,
                                        kernel,
                                        options.stride,
                                        options.padding,
                                        options.dilation,
                                        options.groups,
                                        options.extra_padding};
  ConvolutionLayer layer{{}, in.channels, out, kernel, with_bias};
  layer.module.options = options;
  const int reach = options.dilation * (kernel - 1) + 1;
  const bool fits = sizes.padded(in.height) >= reach;
  return push(layer, name, {x}, {out, fits ? sizes.out_h() : 0, fits ? sizes.out_w() : 0});
}

int NetworkBuilder::linear(const std::string& name, int x, std::int64_t out) {
  const FeatureShape in = shape(x);
  ConvolutionLayer layer{.module = {}, .in = in.channels, .out = out, .with_bias = true, .linear = true};
  return push(layer, name, {x}, {out, in.height, in.width});
}

int NetworkBuilder::batch_norm(const std::string& name, int x, const BatchNormOptions& options) {
  BatchNormLayer layer{{}, shape(x).channels};
  layer.module.eps = options.eps;
  layer.module.momentum = options.momentum;
  return push(layer, name, {x}, shape(x));
}

int NetworkBuilder::layer_norm(const std::string& name, int x) {
  return push(LayerNormLayer{{}, shape(x).channels}, name, {x}, shape(x));
}

int NetworkBuilder::channel_scale(const std::string& name, int x) {
  return push(ChannelScaleLayer{{}, shape(x).channels}, name, {x}, shape(x));
}

int NetworkBuilder::activation(int x, kernels::Nonlinearity function) {
  return push(ActivationLayer{function}, "", {x}, shape(x));
}

int NetworkBuilder::pool(int x, const PoolOptions& options, bool largest) {
  const FeatureShape in = shape(x);
  const kernels::PoolShape sizes{in.channels,    in.height,       in.width,         options.kernel,
                                 options.stride, options.padding, options.ceil_mode};
  const bool fits = in.height + 2 * options.padding >= options.kernel;
  const FeatureShape out{in.channels, fits ? sizes.out_h() : 0, fits ? sizes.out_w() : 0};
  return largest ? push(MaxPoolLayer{options}, "", {x}, out) : push(AvgPoolLayer{options}, "", {x}, out);
}

int NetworkBuilder::max_pool(int x, const PoolOptions& options) { return pool(x, options, true); }
int NetworkBuilder::avg_pool(int x, const PoolOptions& options) { return pool(x, options, false); }

int NetworkBuilder::global_average(int x) { return push(AdaptiveAverageLayer{}, "", {x}, {shape(x).channels, 1, 1}); }

int NetworkBuilder::add(int a, int b) { return push(AddLayer{}, "", {a, b}, shape(a)); }

int NetworkBuilder::multiply(int x, int gate) {
  check(shape(gate) == FeatureShape{shape(x).channels, 1, 1}, "network: a gate of {} channels and {}x{} cells for {}",
        shape(gate).channels, shape(gate).height, shape(gate).width, shape(x).channels);
  return push(MultiplyLayer{}, "", {x, gate}, shape(x));
}

int NetworkBuilder::concat(int a, int b) {
  FeatureShape joined = shape(a);
  joined.channels += shape(b).channels;
  return push(ConcatLayer{}, "", {a, b}, joined);
}

bool NetworkBuilder::halve(int x) {
  if ((shape(x).height + 1) / 2 >= grid_) return true;
  dilation_ *= 2;
  return false;
}

Network NetworkBuilder::finish(const std::string& default_stage) {
  network_.default_stage = default_stage;
  return std::move(network_);
}

Conv2dOptions same_size(int kernel, int stride, int dilation, int groups) {
  return {stride, dilation * (kernel - 1) / 2, dilation, groups};
}

}  // namespace glimpse
