#pragma once
// A convolutional network as a list of layers. Each family (models/encoder/families/resnet.h, ...) writes its list
// once; the differentiable forward pass (models/encoder/encoder.h) and the inference plan
// (models/encoder/frozen_encoder.h) are both derived from it.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "glimpse/engine/io/tensor_file.h"
#include "glimpse/engine/layers.h"
#include "glimpse/kernels/nonlinearity.h"

namespace glimpse {

/// Size of one image's features.
struct FeatureShape {
  std::int64_t channels = 0, height = 0, width = 0;
  bool operator==(const FeatureShape&) const = default;
};

struct ImageLayer {};
/// The image as a network wants it whose pixels are normalised in another way: x factor + shift, per channel.
struct RenormaliseLayer {
  std::vector<float> factor, shift;
};
struct ConvolutionLayer {
  Conv2d module;  ///< without weights until Network::allocate
  std::int64_t in = 0, out = 0;
  int kernel = 1;
  bool with_bias = false;
  bool linear = false;  ///< its weight is saved as the matrix (out,in) of a linear layer
};
struct BatchNormLayer {
  BatchNorm2d module;  ///< without weights until Network::allocate
  std::int64_t channels = 0;
};
struct LayerNormLayer {
  LayerNorm2d module;  ///< without weights until Network::allocate
  std::int64_t channels = 0;
};
/// Each channel times a factor that is learnt: ConvNeXt's layer scale.
struct ChannelScaleLayer {
  Tensor factor;  ///< (C,1,1); undefined until Network::allocate
  std::int64_t channels = 0;
};
struct ActivationLayer {
  kernels::Nonlinearity function;
};
struct MaxPoolLayer {
  PoolOptions options;
};
struct AvgPoolLayer {
  PoolOptions options;
};
/// Means over parts of the grid, as many as the result has cells.
struct AdaptiveAverageLayer {};
struct AddLayer {};
/// Its first input times its second, which has one value a channel.
struct MultiplyLayer {};
/// Joins the channels of its two inputs.
struct ConcatLayer {};

/// One step of a network.
struct Layer {
  std::variant<ImageLayer, RenormaliseLayer, ConvolutionLayer, BatchNormLayer, LayerNormLayer, ChannelScaleLayer,
               ActivationLayer, MaxPoolLayer, AvgPoolLayer, AdaptiveAverageLayer, AddLayer, MultiplyLayer, ConcatLayer>
      kind;
  std::string name;         ///< under which its tensors are saved; torchvision's
  std::vector<int> inputs;  ///< numbers of earlier layers
  int stage = -1;           ///< number of the stage that it belongs to; -1 for the image
  FeatureShape shape;       ///< of its result
};

/// Layer 0 is the image; the last layer's result is the network's. A stage is a run of layers that can be tapped at its
/// end and trained from its beginning.
struct Network {
  std::vector<Layer> layers;
  std::vector<std::string> stages;
  std::string default_stage;  ///< where encoders usually end; later stages (a classifier) must be asked for

  /// Names and shapes of all tensors, which need not be allocated yet.
  std::vector<TensorInfo> tensors() const;
  /// Drops all layers after the end of `stage` ("" = default_stage). Returns the names of the tensors that these would
  /// have had. Throws Error with the list of stages when there is no such stage.
  std::vector<std::string> cut_after(const std::string& stage);
  /// Creates the weights, drawn layer by layer from `generator`; none requires a gradient.
  void allocate(Generator& generator);
  /// Number of the stage; throws Error with the list of stages when there is none of that name.
  int stage_index(const std::string& stage) const;
  /// The last layer before stage number `stage`, when the layers from that stage on use no earlier result; else -1.
  int split_before(int stage) const;
  /// Runs all layers: images (N,3,H,W) of the size that the network was built for -> (N,C,H',W').
  Tensor forward(const Tensor& images) const { return forward(images, 0); }
  /// Runs the layers after number `first`, whose result is x; `first` is 0 or a split_before().
  Tensor forward(const Tensor& x, int first) const;
  void visit(Visitor& v);
};

struct BatchNormOptions {
  double eps = 1e-5;      ///< added to the variance
  double momentum = 0.1;  ///< by which batch statistics move the running ones
};

/// Builds a network layer by layer; every function returns the number of the new layer.
class NetworkBuilder {
 public:
  /// For square images of `size` pixels. Where a family would halve a grid to fewer than `grid` cells a side, halve()
  /// answers with a dilation instead.
  NetworkBuilder(int size, int grid);

  /// The layers that follow belong to a stage of this name.
  void begin_stage(const std::string& name);

  int image() const { return 0; }
  int convolution(const std::string& name, int x, std::int64_t out, int kernel, const Conv2dOptions& options,
                  bool with_bias = false);
  /// A convolution by 1x1 with a bias, whose weight is saved as a matrix.
  int linear(const std::string& name, int x, std::int64_t out);
  int batch_norm(const std::string& name, int x, const BatchNormOptions& options = {});
  int layer_norm(const std::string& name, int x);
  int channel_scale(const std::string& name, int x);
  int relu(int x) { return activation(x, kernels::Nonlinearity::relu); }
  int relu6(int x) { return activation(x, kernels::Nonlinearity::relu6); }
  int silu(int x) { return activation(x, kernels::Nonlinearity::silu); }
  int gelu(int x) { return activation(x, kernels::Nonlinearity::gelu); }
  int sigmoid(int x) { return activation(x, kernels::Nonlinearity::sigmoid); }
  int max_pool(int x, const PoolOptions& options);
  int avg_pool(int x, const PoolOptions& options);
  int global_average(int x);
  int add(int a, int b);
  /// x times `gate`, which has as many channels and one cell.
  int multiply(int x, int gate);
  int concat(int a, int b);

  /// Whether a family that would now halve the grid of layer x may do so. If not, its stride becomes 1 and all
  /// convolutions that follow get twice the dilation, so that they see what they would have seen (the "a trous" scheme
  /// of Chen et al., arXiv 1606.00915).
  bool halve(int x);
  /// The dilation of convolutions from here on.
  int dilation() const { return dilation_; }
  const FeatureShape& shape(int layer) const { return network_.layers[layer].shape; }

  /// The network, whose default stage is `default_stage`.
  Network finish(const std::string& default_stage);

 private:
  template <class Kind>
  int push(Kind kind, const std::string& name, std::vector<int> inputs, const FeatureShape& shape);
  int activation(int x, kernels::Nonlinearity function);
  int pool(int x, const PoolOptions& options, bool largest);

  Network network_;
  int grid_;
  int dilation_ = 1;
};

/// A convolution of this size that keeps the grid (for stride 1): padding dilation (kernel-1)/2.
Conv2dOptions same_size(int kernel, int stride = 1, int dilation = 1, int groups = 1);

}  // namespace glimpse
