#pragma once
// Every differentiable operation of the engine. Each checks its arguments (Error names the op and the shapes), runs a
// kernel on the device of its inputs, and records how to differentiate itself. Inputs are f32 or f64; all
// floating-point inputs of one call have the same type. Row-major shapes stand in parentheses.

#include <cstdint>
#include <utility>
#include <vector>

#include "glimpse/engine/tensor.h"
#include "glimpse/kernels/base/activation.h"
#include "glimpse/kernels/functors.h"

namespace glimpse {

class Generator;

// --- Element-wise (engine/ops/elementwise.cpp). Shapes broadcast as in NumPy: aligned at the last dimension, sizes
// equal or 1.
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, double b);
Tensor operator-(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);
Tensor operator/(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(double a, const Tensor& b);
Tensor operator-(const Tensor& x);
// The functions of kernels/functors.h, such as relu, relu6 (MobileNet's min(max(x,0),6)), tanh, silu, gelu (by erf),
// sigmoid, exp, log (the natural one) and square.
#define GLIMPSE_DECLARE_OP(functor, name, ...) Tensor name(const Tensor& x);
GLIMPSE_FOR_EACH_UNARY_OP(GLIMPSE_DECLARE_OP)
#undef GLIMPSE_DECLARE_OP

/// y += x, same shape; no gradient is recorded.
void add_into(const Tensor& y, const Tensor& x);
/// y += scale * x, same shape; no gradient is recorded.
void add_scaled_into(const Tensor& y, const Tensor& x, double scale);

// --- Reductions (engine/ops/reduce.cpp), summed in double in a fixed order.
/// Sum, mean of all elements: a scalar of rank 0.
Tensor sum(const Tensor& x);
Tensor mean(const Tensor& x);
/// Mean of the squared elements.
Tensor mean_square(const Tensor& x);
/// Sum, mean over one dimension, which disappears.
Tensor sum(const Tensor& x, int dim);
Tensor mean(const Tensor& x, int dim);

// --- Matrices (engine/ops/matmul.cpp).
/// a (M,K) times b (K,N) -> (M,N). With transpose_a, a is (K,M); with transpose_b, b is (N,K).
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);
/// x (...,I), weight (O,I), bias (O) or undefined -> x weight^T + bias (...,O).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// x (M,N) -> (N,M).
Tensor transpose(const Tensor& x);

// --- Layout (engine/ops/layout.cpp).
/// Dimensions in a new order: permute(x, {0,2,3,1}) turns NCHW into NHWC.
Tensor permute(const Tensor& x, const std::vector<int>& order);
/// Joins tensors that agree in all dimensions but `dim`.
Tensor concat(const std::vector<Tensor>& parts, int dim);
/// Elements [begin, end) of dimension `dim`.
Tensor slice(const Tensor& x, int dim, std::int64_t begin, std::int64_t end);
/// Rows index[i] of x: x (N,...), index (M) i32 -> (M,...). Throws Error for an index outside [0,N).
Tensor gather_rows(const Tensor& x, const Tensor& index);

// --- Convolutional networks (engine/ops/{convolution,batch_norm,layer_norm,pooling}.cpp). Images are NCHW.
struct Conv2dOptions {
  int stride = 1;
  int padding = 0;
  int dilation = 1;
  int groups = 1;
  int extra_padding = 0;  ///< more of it below and to the right
};
/// x (N,C,H,W), weight (O,C/groups,KH,KW), bias (O) or undefined -> (N,O,H',W'),
/// H' = (H + 2 padding + extra_padding - dilation (KH-1) - 1) / stride + 1.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Conv2dOptions& options = {});

struct BatchNormState {
  Tensor running_mean;  ///< (C)
  Tensor running_var;   ///< (C), unbiased as in PyTorch
};
/// Batch normalisation over (N,H,W) of x (N,C,H,W) (arXiv 1502.03167), weight and bias (C). `train`: uses the batch's
/// statistics and moves the running ones by `momentum`; else uses the running ones, and differentiates through x,
/// weight and bias with them held constant.
Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormState& state, bool train,
                  double momentum = 0.1, double eps = 1e-5);

/// Layer normalisation (arXiv 1607.06450) over the channels of x (N,C,...), at each place for itself, as in ConvNeXt;
/// weight and bias (C).
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-6);

struct PoolOptions {
  int kernel = 2;
  int stride = 2;
  int padding = 0;
  bool ceil_mode = false;  ///< PyTorch's: the last window may start inside, never in the right padding
};
Tensor max_pool2d(const Tensor& x, const PoolOptions& options);
/// Padding counts as zeros in the average (PyTorch's count_include_pad).
Tensor avg_pool2d(const Tensor& x, const PoolOptions& options);
/// Averages over floor(i H/H') .. ceil((i+1) H/H') as PyTorch: x (N,C,H,W) -> (N,C,height,width).
Tensor adaptive_avg_pool2d(const Tensor& x, int height, int width);

// --- Probabilities (engine/ops/{softmax,cross_entropy}.cpp), over the last dimension; -inf scores get probability 0.
Tensor softmax(const Tensor& x);
Tensor log_softmax(const Tensor& x);
constexpr std::int32_t no_ignore_index = -1;
/// Mean over the counted targets of -log softmax(logits)[target]: logits (N,V), target (N) i32 -> scalar. Targets equal
/// to `ignore_index` count neither in the sum nor in the mean. With label smoothing s the target distribution is
/// (1-s) one-hot + s/V. Throws Error for any other target outside [0,V), and when none is counted.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, std::int32_t ignore_index = no_ignore_index,
                     double label_smoothing = 0);

// --- Sequences (engine/ops/{embedding,dropout,lstm,attention}.cpp).
/// Rows of the table: table (V,E), words (N...) i32 -> (N...,E). Throws Error for a word outside [0,V).
Tensor embedding(const Tensor& table, const Tensor& words);
/// Zeroes elements with probability p and scales the others by 1/(1-p) (inverted dropout); the same generator state
/// gives the same mask on every device. Identity for p = 0.
Tensor dropout(const Tensor& x, double p, Generator& generator);
/// One LSTM step (Hochreiter & Schmidhuber 1997, with forget gate) from the gates' pre-activations:
/// gates (B,4H) ordered i,f,g,o; c (B,H) -> {h', c'} with c' = sig(f) c + sig(i) tanh(g), h' = sig(o) tanh(c').
std::pair<Tensor, Tensor> lstm_cell(const Tensor& gates, const Tensor& c);

struct AttentionResult {
  Tensor context;  ///< (Q,D)
  Tensor alpha;    ///< (Q,L), rows sum to 1, or to 0 where all is masked
};
/// Additive attention (Bahdanau et al., arXiv 1409.0473; Show, Attend and Tell eq. 4-6, 13) in one op:
/// e_l = score . act(key_l + query), alpha = softmax(e), context = sum_l alpha_l feature_l.
/// keys (B,L,A), query (Q,A) with Q = B * q: query rows i q .. i q + q - 1 look at image i; score (A), features
/// (B,L,D). A score bias would cancel in the softmax, so there is none. mask (B,L) i32, if given: no query attends to
/// locations where it is 0; alpha is 0 there, and so is the whole row, and the context, of a query that no location is
/// left for.
AttentionResult additive_attention(const Tensor& keys, const Tensor& query, const Tensor& score, const Tensor& features,
                                   Activation activation = Activation::tanh, const Tensor& mask = {});

}  // namespace glimpse
