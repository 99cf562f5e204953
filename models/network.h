#pragma once
// A convolutional network as a list of layers. Each family (models/resnet.h, ...) writes its list once; the
// differentiable forward pass (models/encoder.h) and the inference plan (models/frozen_encoder.h) are both derived from
// it.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "glimpse/engine/layers.h"

namespace glimpse {

/// Size of one image's features.
struct FeatureShape {
  std::int64_t channels = 0, height = 0, width = 0;
  bool operator==(const FeatureShape&) const = default;
};

struct ImageLayer {};
struct ConvolutionLayer {
  Conv2d module;  ///< without weights until Network::allocate
  std::int64_t in = 0, out = 0;
  int kernel = 1;
  bool with_bias = false;
};
struct BatchNormLayer {
  BatchNorm2d module;  ///< without weights until Network::allocate
  std::int64_t channels = 0;
};
struct ReluLayer {
  bool capped = false;  ///< at 6
};
struct MaxPoolLayer {
  PoolOptions options;
};
struct AvgPoolLayer {
  PoolOptions options;
};
struct GlobalAverageLayer {};
struct AddLayer {};
/// Joins the channels of its two inputs.
struct ConcatLayer {};

/// One step of a network.
struct Layer {
  std::variant<ImageLayer, ConvolutionLayer, BatchNormLayer, ReluLayer, MaxPoolLayer, AvgPoolLayer, GlobalAverageLayer,
               AddLayer, ConcatLayer>
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

  /// Drops all layers after the end of `stage` ("" = default_stage). Returns the names of the tensors that these would
  /// have had. Throws Error with the list of stages when there is no such stage.
  std::vector<std::string> cut_after(const std::string& stage);
  /// Creates the weights, drawn layer by layer from `generator`; none requires a gradient.
  void allocate(Generator& generator);
  /// Number of the stage; throws Error with the list of stages when there is none of that name.
  int stage_index(const std::string& stage) const;
  /// Runs all layers: images (N,3,H,W) of the size that the network was built for -> (N,C,H',W').
  Tensor forward(const Tensor& images) const;
  void visit(Visitor& v);
};

/// Builds a network layer by layer; every function returns the number of the new layer.
class NetworkBuilder {
 public:
  /// For square images of `size` pixels. With `max_stride` > 0 the grid shrinks by no more than that factor: where a
  /// family asks for a further stride, halving() answers with a dilation instead.
  NetworkBuilder(int size, int max_stride);

  /// The layers that follow belong to a stage of this name.
  void begin_stage(const std::string& name);

  int image() const { return 0; }
  int convolution(const std::string& name, int x, std::int64_t out, int kernel, const Conv2dOptions& options,
                  bool with_bias = false);
  int batch_norm(const std::string& name, int x);
  int relu(int x);
  int relu6(int x);
  int max_pool(int x, const PoolOptions& options);
  int avg_pool(int x, const PoolOptions& options);
  int global_average(int x);
  int add(int a, int b);
  int concat(int a, int b);

  /// What a family does where the grid is to be halved.
  struct Halving {
    bool strided;         ///< false: the stride is traded for dilation
    int stride;           ///< 2, or 1 when traded
    int dilation_before;  ///< of the very convolution that would have had the stride
    int dilation_after;   ///< of all that follow
  };
  Halving halving();
  /// The dilation of all convolutions from here on: doubled at each traded stride.
  int dilation() const { return dilation_; }
  const FeatureShape& shape(int layer) const { return network_.layers[static_cast<std::size_t>(layer)].shape; }

  /// The network, whose default stage is `default_stage`.
  Network finish(const std::string& default_stage);

 private:
  template <class Kind>
  int push(Kind kind, const std::string& name, std::vector<int> inputs, const FeatureShape& shape);

  Network network_;
  int max_stride_;
  int stride_ = 1;
  int dilation_ = 1;
};

}  // namespace glimpse
