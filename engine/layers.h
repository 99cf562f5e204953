#pragma once
// The layers with parameters. Weights are drawn from a Generator, by default one seeded with 1, so that a program
// without seeds repeats; PyTorch's shapes, names and default distributions.

#include <cstdint>

#include "glimpse/engine/module.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/random.h"

namespace glimpse {

/// y = x weight^T + bias; weight (out,in), bias (out); both uniform in +-1/sqrt(in).
struct Linear {
  Tensor weight, bias;

  Linear() = default;
  Linear(std::int64_t in, std::int64_t out, bool with_bias = true, Generator& generator = default_generator());
  Tensor operator()(const Tensor& x) const { return linear(x, weight, bias); }
  void visit(Visitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

/// Rows of weight (words,dim), drawn from N(0,1).
struct Embedding {
  Tensor weight;

  Embedding() = default;
  Embedding(std::int64_t words, std::int64_t dim, Generator& generator = default_generator());
  Tensor operator()(const Tensor& words) const { return embedding(weight, words); }
  void visit(Visitor& v) { v("weight", weight); }
};

/// 2-d convolution; weight (out,in/groups,kernel,kernel) from N(0, 2/(out kernel^2)) (He et al., arXiv 1502.01852,
/// fan-out), bias (out) zero.
struct Conv2d {
  Tensor weight, bias;
  Conv2dOptions options;

  Conv2d() = default;
  Conv2d(std::int64_t in, std::int64_t out, int kernel, const Conv2dOptions& options, bool with_bias = false,
         Generator& generator = default_generator());
  Tensor operator()(const Tensor& x) const { return conv2d(x, weight, bias, options); }
  void visit(Visitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

/// Batch normalisation; weight one, bias zero, running mean zero and variance one.
struct BatchNorm2d {
  Tensor weight, bias;
  BatchNormState state;
  double momentum = 0.1;  ///< by which batch statistics move the running ones
  double eps = 1e-5;      ///< added to the variance
  bool train = false;     ///< batch statistics (and moving the running ones) instead of the running ones

  BatchNorm2d() = default;
  explicit BatchNorm2d(std::int64_t channels);
  Tensor operator()(const Tensor& x) const { return batch_norm(x, weight, bias, state, train, momentum, eps); }
  void visit(Visitor& v) {
    v("weight", weight);
    v("bias", bias);
    v.buffer("running_mean", state.running_mean);
    v.buffer("running_var", state.running_var);
  }
};

/// Layer normalisation over channels; weight one, bias zero.
struct LayerNorm2d {
  Tensor weight, bias;
  double eps = 1e-6;  ///< added to the variance

  LayerNorm2d() = default;
  explicit LayerNorm2d(std::int64_t channels);
  Tensor operator()(const Tensor& x) const { return layer_norm(x, weight, bias, eps); }
  void visit(Visitor& v) {
    v("weight", weight);
    v("bias", bias);
  }
};

/// LSTM cell with PyTorch's tensors: weight_ih (4H,in), weight_hh (4H,H), bias_ih and bias_hh (4H), gates i,f,g,o, all
/// uniform in +-1/sqrt(H).
struct LstmCell {
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;

  LstmCell() = default;
  LstmCell(std::int64_t in, std::int64_t hidden, Generator& generator = default_generator());
  /// x (B,in), h and c (B,H) -> {h', c'}.
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& h, const Tensor& c) const {
    return lstm_cell(linear(x, weight_ih, bias_ih) + linear(h, weight_hh, bias_hh), c);
  }
  void visit(Visitor& v) {
    v("weight_ih", weight_ih);
    v("weight_hh", weight_hh);
    v("bias_ih", bias_ih);
    v("bias_hh", bias_hh);
  }
};

}  // namespace glimpse
