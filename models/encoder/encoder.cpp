#include "glimpse/models/encoder/encoder.h"

#include <algorithm>
#include <functional>
#include <set>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/models/encoder/families/convnext.h"
#include "glimpse/models/encoder/families/densenet.h"
#include "glimpse/models/encoder/families/efficientnet.h"
#include "glimpse/models/encoder/families/mobilenet.h"
#include "glimpse/models/encoder/families/resnet.h"
#include "glimpse/models/encoder/families/scratch.h"
#include "glimpse/models/encoder/families/squeezenet.h"
#include "glimpse/models/encoder/families/vgg.h"
#include "glimpse/models/encoder/internal/joined.h"

namespace glimpse {
namespace {

struct Family {
  std::string name;
  std::function<Network(NetworkBuilder, bool stride_in_1x1)> build;
  Preprocessing preprocessing = {};  ///< of its published weights, but for the size
};

const std::vector<Family>& families() {
  static const std::vector<Family> list = [] {
    std::vector<Family> all;
    for (const int depth : {18, 34, 50, 101, 152})
      all.push_back({"resnet" + std::to_string(depth),
                     [=](NetworkBuilder b, bool v1) { return resnet(std::move(b), depth, v1); }});
    for (const int depth : {16, 19})
      all.push_back({"vgg" + std::to_string(depth), [=](NetworkBuilder b, bool) { return vgg(std::move(b), depth); }});
    for (const int depth : {121, 161, 169, 201})
      all.push_back(
          {"densenet" + std::to_string(depth), [=](NetworkBuilder b, bool) { return densenet(std::move(b), depth); }});
    all.push_back({"mobilenet_v2", [](NetworkBuilder b, bool) { return mobilenet_v2(std::move(b)); }});
    all.push_back({"squeezenet1_0", [](NetworkBuilder b, bool) { return squeezenet(std::move(b), false); }});
    all.push_back({"squeezenet1_1", [](NetworkBuilder b, bool) { return squeezenet(std::move(b), true); }});
    for (int size = 0; size <= 7; ++size)
      all.push_back({"efficientnet_b" + std::to_string(size),
                     [=](NetworkBuilder b, bool) { return efficientnet(std::move(b), size); }});
    for (int size = 0; size <= 4; ++size)
      all.push_back({"efficientnet_lite" + std::to_string(size),
                     [=](NetworkBuilder b, bool) { return efficientnet_lite(std::move(b), size); },
                     efficientnet_lite_preprocessing()});
    for (const char* size : {"tiny", "small", "base", "large"})
      all.push_back(
          {std::string("convnext_") + size, [=](NetworkBuilder b, bool) { return convnext(std::move(b), size); }});
    all.push_back({"scratch", [](NetworkBuilder b, bool) { return scratch(std::move(b)); }});
    return all;
  }();
  return list;
}

const Family& family(const std::string& name) {
  const auto found =
      std::find_if(families().begin(), families().end(), [&](const Family& f) { return f.name == name; });
  check(found != families().end(), "no encoder '{}'{}; there are {}", name, did_you_mean(name, encoder_names()),
        fmt::join(encoder_names(), ", "));
  return *found;
}

/// The layers of one family up to the tap; `beyond` gets the tensor names of the others.
Network describe(const EncoderOptions& options, int grid, std::vector<std::string>& beyond) {
  Network network = family(options.name).build(NetworkBuilder(options.size, grid), options.stride_in_1x1);
  try {
    beyond = network.cut_after(options.stage);
  } catch (const Error& e) {
    fail("encoder {}: {}", options.name, e.what());
  }
  return network;
}

std::int64_t side_of(const Network& network) { return network.layers.back().shape.height; }

/// describe() with the grid that the options ask for.
Network describe_grid(const EncoderOptions& options, std::vector<std::string>& beyond) {
  Network network = describe(options, options.grid, beyond);
  if (options.grid == 0 || options.grid == side_of(network)) return network;
  std::vector<std::string> unused;
  const auto native = static_cast<int>(side_of(describe(options, 0, unused)));
  std::set<std::int64_t> possible{native};
  for (const int grid : {2 * native, 4 * native}) possible.insert(side_of(describe(options, grid, unused)));
  fail("encoder {} to {} at {} pixels has no grid of {} cells a side; possible are {}", options.name,
       network.stages.back(), options.size, options.grid, fmt::join(possible, ", "));
}

/// The options of each of several encoders.
std::vector<EncoderOptions> options_of_parts(const EncoderOptions& options) {
  const std::vector<std::string> names = encoder_parts(options.name), stages = encoder_parts(options.stage);
  check(options.stage.empty() || stages.size() == names.size(),
        "encoder {}: stage '{}' names {}, not one for each of {} encoders", options.name, options.stage, stages.size(),
        names.size());
  const bool resnet = std::any_of(names.begin(), names.end(), [](auto& name) { return name.starts_with("resnet"); });
  check(resnet || !options.stride_in_1x1, "encoder {}: the stride in the 1x1 convolution is a choice of ResNets",
        options.name);
  std::vector<EncoderOptions> parts;
  for (std::size_t i = 0; i < names.size(); ++i) {
    check(names.size() == 1 || names[i] != "scratch", "encoder {}: scratch has no weights yet and stands alone",
          options.name);
    EncoderOptions part = options;
    part.name = names[i];
    part.stage = options.stage.empty() ? "" : stages[i];
    part.stride_in_1x1 = options.stride_in_1x1 && names[i].starts_with("resnet");
    parts.push_back(std::move(part));
  }
  return parts;
}

/// From pixels of one normalisation to those of another; empty where they are the same.
RenormaliseLayer renormalise(const Preprocessing& from, const Preprocessing& to) {
  RenormaliseLayer layer;
  if (from.mean == to.mean && from.std == to.std) return layer;
  for (std::size_t c = 0; c < from.mean.size(); ++c) {
    layer.factor.push_back(from.std[c] / to.std[c]);
    layer.shift.push_back((from.mean[c] - to.mean[c]) / to.std[c]);
  }
  return layer;
}

/// The network that the options describe, of one encoder or of several on one grid: each gives it by dilation where it
/// can, and else is averaged.
Network describe_all(const EncoderOptions& options, std::vector<std::string>& beyond) {
  std::vector<EncoderOptions> parts = options_of_parts(options);
  if (parts.size() == 1) return describe_grid(options, beyond);
  std::int64_t side = options.grid;
  if (side == 0)
    for (const EncoderOptions& part : parts) {
      const std::int64_t native = side_of(describe(part, 0, beyond));
      side = side == 0 ? native : std::min(side, native);
    }
  std::vector<NetworkPart> networks;
  std::vector<std::string> stages, all_beyond;
  for (const EncoderOptions& part : parts) {
    networks.push_back({part.name, describe(part, static_cast<int>(side), beyond),
                        renormalise(family(parts[0].name).preprocessing, family(part.name).preprocessing)});
    stages.push_back(networks.back().network.stages.back());
    for (const std::string& name : beyond) all_beyond.push_back(part.name + "." + name);
  }
  beyond = std::move(all_beyond);
  return join(std::move(networks), side, fmt::format("{}", fmt::join(stages, "+")));
}

}  // namespace

Encoder::Encoder(EncoderOptions options, Network network, std::vector<std::string> beyond)
    : options_(std::move(options)),
      network_(std::move(network)),
      beyond_(std::move(beyond)),
      first_trained_(static_cast<int>(network_.stages.size())) {}

std::vector<std::string> Encoder::stages() const { return network_.stages; }

std::string Encoder::description() const {
  return fmt::format("{}{} to {} at {} pixels: {}x{} cells of {} values", options_.name,
                     options_.stride_in_1x1 ? " (stride in 1x1)" : "", network_.stages.back(), options_.size,
                     grid_height(), grid_width(), channels());
}

/// y (N,D,H,W) -> (N,L,D).
Tensor Encoder::to_features(const Tensor& y) const {
  return permute(y, {0, 2, 3, 1}).reshape({y.size(0), locations(), channels()});
}

Tensor Encoder::forward(const Tensor& images) const {
  const Shape expected{images.defined() && images.rank() > 0 ? images.size(0) : 0, 3, options_.size, options_.size};
  check(images.defined() && images.shape() == expected, "encoder {}: images are {}; (N,3,{},{}) is needed",
        options_.name, images.defined() ? images.shape().str() : "undefined", options_.size, options_.size);
  return to_features(network_.forward(images));
}

void Encoder::set_trainable(const std::string& from_stage, bool train_batch_norm) {
  int first = 0;
  try {
    first = from_stage.empty() ? static_cast<int>(network_.stages.size())
                               : (from_stage == "all" ? 0 : network_.stage_index(from_stage));
  } catch (const Error& e) {
    fail("encoder {}: cannot be trained from there: {}", options_.name, e.what());
  }
  for (Layer& layer : network_.layers) {
    const bool train = layer.stage >= first;
    if (auto* convolution = std::get_if<ConvolutionLayer>(&layer.kind)) {
      convolution->module.weight.set_requires_grad(train);
      if (convolution->with_bias) convolution->module.bias.set_requires_grad(train);
    } else if (auto* norm = std::get_if<BatchNormLayer>(&layer.kind)) {
      norm->module.weight.set_requires_grad(train && train_batch_norm);
      norm->module.bias.set_requires_grad(train && train_batch_norm);
      norm->module.train = train && train_batch_norm;
    } else if (auto* layer_norm = std::get_if<LayerNormLayer>(&layer.kind)) {
      layer_norm->module.weight.set_requires_grad(train);
      layer_norm->module.bias.set_requires_grad(train);
    } else if (auto* scale = std::get_if<ChannelScaleLayer>(&layer.kind)) {
      scale->factor.set_requires_grad(train);
    }
  }
  first_trained_ = first;
  check(from_stage.empty() || !parameters(*this).empty(), "encoder {}: nothing from {} on can be trained{}",
        options_.name, from_stage, train_batch_norm ? "" : " while its batch norms stand still");
}

std::optional<Encoder> Encoder::frozen_part() const {
  if (!trainable()) return Encoder(options_, network_, beyond_);
  if (network_.split_before(first_trained_) < 1) return std::nullopt;
  EncoderOptions options = options_;
  options.stage = network_.stages[static_cast<std::size_t>(first_trained_) - 1];
  Network network = network_;
  std::vector<std::string> beyond = network.cut_after(options.stage);
  return Encoder(std::move(options), std::move(network), std::move(beyond));
}

Tensor Encoder::forward_rest(const Tensor& x) const {
  if (!trainable()) return x;
  const int split = network_.split_before(first_trained_);
  check(split > 0, "encoder {}: nothing comes before {}", options_.name, network_.stages[first_trained_]);
  const FeatureShape& shape = network_.layers[split].shape;
  const Shape expected{x.defined() && x.rank() > 0 ? x.size(0) : 0, shape.height * shape.width, shape.channels};
  check(x.defined() && x.shape() == expected, "encoder {}: what comes before {} is {}; (N,{},{}) is needed",
        options_.name, network_.stages[first_trained_], x.defined() ? x.shape().str() : "undefined", expected[1],
        expected[2]);
  const Tensor grid = permute(x.reshape({x.size(0), shape.height, shape.width, shape.channels}), {0, 3, 1, 2});
  return to_features(network_.forward(grid, split));
}

std::vector<std::string> encoder_names() {
  std::vector<std::string> names;
  for (const Family& f : families()) names.push_back(f.name);
  return names;
}

std::vector<std::string> encoder_stages(const std::string& name) {
  constexpr int size_that_fits_all = 224;
  return family(name).build(NetworkBuilder(size_that_fits_all, 0), false).stages;
}

std::vector<std::string> encoder_parts(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name)
    if (c == '+')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

Preprocessing encoder_preprocessing(const EncoderOptions& options) {
  Preprocessing result = family(encoder_parts(options.name)[0]).preprocessing;
  result.size = options.size;
  return result;
}

Encoder make_encoder(const EncoderOptions& options, Generator& generator) {
  std::vector<std::string> beyond;
  Network network = describe_all(options, beyond);
  network.allocate(generator);
  EncoderOptions resolved = options;
  resolved.stage = network.stages.back();
  return Encoder(std::move(resolved), std::move(network), std::move(beyond));
}

std::vector<TensorInfo> encoder_tensors(const EncoderOptions& options) {
  std::vector<std::string> beyond;
  return describe_all(options, beyond).tensors();
}

}  // namespace glimpse
