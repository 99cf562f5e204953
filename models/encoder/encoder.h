#pragma once
// Encoders: convolutional networks that turn an image into a grid of feature vectors, under torchvision's tensor names.

#include <optional>
#include <string>
#include <vector>

#include "glimpse/models/encoder/network.h"
#include "glimpse/models/encoder/preprocessing.h"

namespace glimpse {

struct EncoderOptions {
  std::string name = "densenet169";  ///< one of encoder_names(), or several side by side: "densenet169+mobilenet_v2"
  std::string stage = "";            ///< whose output is the grid; "" = the usual one; of several: "norm5+features.18"
  int grid = 0;  ///< cells along a side; 0 = what the strides give, of several the least. More: the last strides become
                 ///< dilations
  bool stride_in_1x1 = false;  ///< bottleneck ResNets: v1's place of the stride (the first 1x1), not v1.5's (the 3x3)
  int size = 224;              ///< side of the square images
};

/// A network of one family, or several side by side, cut after a stage. Without trainable stages it runs with its
/// stored batch-norm statistics.
class Encoder {
 public:
  Encoder(EncoderOptions options, Network network, std::vector<std::string> beyond);
  Encoder(Encoder&&) = default;
  Encoder& operator=(Encoder&&) = default;

  const EncoderOptions& options() const { return options_; }
  std::int64_t channels() const { return network_.layers.back().shape.channels; }
  std::int64_t grid_height() const { return network_.layers.back().shape.height; }
  std::int64_t grid_width() const { return network_.layers.back().shape.width; }
  std::int64_t locations() const { return grid_height() * grid_width(); }
  /// The stages that it has, the last one being tapped.
  std::vector<std::string> stages() const;
  /// "densenet169 to norm5: 7x7 cells of 1664 values".
  std::string description() const;

  /// images (N,3,S,S), f32, normalised as Preprocessing says -> features (N,L,D), L row by row. Differentiable.
  Tensor forward(const Tensor& images) const;
  void visit(Visitor& v) { network_.visit(v); }

  /// Makes the weights of `from_stage` and of all later stages trainable, and freezes the rest; "" freezes all, "all"
  /// trains all. With `train_batch_norm` the batch norms of the trainable stages use and move batch statistics;
  /// without, their statistics, scales and shifts stay as they are. Throws Error with the list of stages when there is
  /// none of that name, and where nothing can be trained from there on.
  void set_trainable(const std::string& from_stage, bool train_batch_norm);
  bool trainable() const { return first_trained_ < static_cast<int>(network_.stages.size()); }

  /// Number of the first stage that is trained; the number of stages where none is.
  int first_trained() const { return first_trained_; }
  /// All that comes before the trained stages, as an encoder of its own that shares the weights: the whole of a frozen
  /// encoder. nullopt where training begins with the image, or where trained layers use results of several others.
  std::optional<Encoder> frozen_part() const;
  /// From what frozen_part() makes of images, (N,L',D'), to the features (N,L,D). Differentiable. Throws Error for
  /// another shape, and where there is no frozen_part().
  Tensor forward_rest(const Tensor& x) const;

  const Network& network() const { return network_; }
  /// Names of the tensors of the stages after the tap, which a weight file may hold besides.
  const std::vector<std::string>& beyond() const { return beyond_; }

 private:
  Tensor to_features(const Tensor& y) const;

  EncoderOptions options_;
  Network network_;
  std::vector<std::string> beyond_;
  int first_trained_;  // stage; the number of stages where none is
};

/// All encoders that there are.
std::vector<std::string> encoder_names();
/// The stages of an encoder, in order. Throws Error listing the names when there is no such encoder.
std::vector<std::string> encoder_stages(const std::string& name);

/// The names of encoders that stand side by side, which is mostly one.
std::vector<std::string> encoder_parts(const std::string& name);

/// How photographs are prepared for the published weights of an encoder; of several side by side, for the first: the
/// others renormalise its pixels. Throws Error as encoder_stages does.
Preprocessing encoder_preprocessing(const EncoderOptions& options);

/// An encoder with random weights (He et al., arXiv 1502.01852), frozen. Throws Error, listing what there is, for an
/// unknown name or stage and for a grid that the strides cannot give.
Encoder make_encoder(const EncoderOptions& options, Generator& generator = default_generator());

/// Names and shapes of the tensors that make_encoder(options) would give; allocates none of them. Throws as it does.
std::vector<TensorInfo> encoder_tensors(const EncoderOptions& options);

}  // namespace glimpse
