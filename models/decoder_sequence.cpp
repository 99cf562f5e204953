#include "glimpse/models/decoder_sequence.h"

#include <memory>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/attention.h"
#include "glimpse/kernels/convert.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/kernels/lstm.h"
#include "glimpse/kernels/packed_gemm.h"

namespace glimpse {
namespace {

/// A matrix laid out for products with few rows, in pooled memory.
template <class Device, class T>
struct Packed {
  Device device;
  std::int64_t k, n;
  Tensor memory;

  Packed(Device d, std::int64_t rows, std::int64_t columns, kernels::Operand<T> matrix)
      : device(d), k(rows), n(columns), memory(empty({kernels::packed_size<T>(d, rows, columns)}, dtype_of<T>)) {
    kernels::pack<T>(device, k, n, matrix, memory.data<T>());
  }
  void operator()(std::int64_t m, const T* a, std::int64_t lda, bool accumulate, T* c, std::int64_t ldc) const {
    kernels::packed_gemm<T>(device, m, n, k, a, lda, memory.data<T>(), accumulate, c, ldc);
  }
};

/// Everything that the backward pass needs. The product of h at each step, of width W = A + 4H + G, is
/// [query, gates, context gate] = h [query.weight; weight_hh; gate.weight]^T.
class Recurrence {
 public:
  Recurrence(const Decoder& decoder, const DecoderMemory& memory, const Tensor& embedded, const DecoderState& start,
             const TokenBatch& batch);

  Sequence forward();
  Gradients backward(const Gradients& dy);

 private:
  std::int64_t at(std::int64_t step) const { return offset_[static_cast<std::size_t>(step)]; }
  std::int64_t rows(std::int64_t step) const { return at(step + 1) - at(step); }
  std::int64_t steps() const { return static_cast<std::int64_t>(offset_.size()) - 1; }
  kernels::AttentionShape attention_shape(std::int64_t groups) const { return {groups, locations_, width_, channels_}; }

  template <class T>
  kernels::AttentionInputs<T> attention_inputs(std::int64_t token) const {
    return {activation_ == Activation::tanh ? kernels::ScoreFunction::tanh : kernels::ScoreFunction::relu,
            keys_.data<T>(),
            features_.data<T>(),
            score_.data<T>(),
            projected_.data<T>() + token * projection_,
            projection_};
  }
  template <class T>
  const T* before(const Tensor& first, const Tensor& states, std::int64_t step) const {
    return step == 0 ? first.data<T>() : states.data<T>() + at(step - 1) * hidden_;
  }
  Tensor states_before() const;
  template <class T, class Device>
  void run_forward(Device device);
  template <class T, class Device>
  void walk_back(Device device, const Gradients& dy, const Tensor& dprojected, const Tensor& descore,
                 const Tensor& dcontext, const Tensor& dh, const Tensor& dc) const;
  void attention_gradients(const Tensor& descore, const Tensor& dcontext, Gradients& result) const;
  void input_gradients(const Tensor& dprojected, Gradients& result) const;

  std::vector<std::int64_t> offset_;  // first token of each step
  std::int64_t tokens_, hidden_, word_, locations_ = 0, width_ = 0, channels_ = 0, gate_width_ = 0, projection_;
  Activation activation_;
  bool attends_, features_need_gradient_ = false;
  Tensor features_, keys_, score_, embedded_, h0_, c0_, gate_bias_;
  Tensor from_h_;     // (W,H): query.weight over weight_hh over gate.weight
  Tensor weight_ih_;  // (4H,E+D)
  Tensor bias_;       // (4H)
  Tensor h_, c_;      // (N,H)
  Tensor gates_;      // (N,4H), activated
  Tensor projected_;  // (N,W); its context gates are activated
  Tensor alpha_, context_, gated_;
};

Recurrence::Recurrence(const Decoder& decoder, const DecoderMemory& memory, const Tensor& embedded,
                       const DecoderState& start, const TokenBatch& batch)
    : offset_(batch.offset),
      tokens_(batch.tokens()),
      hidden_(decoder.config.hidden),
      word_(decoder.config.embedding),
      activation_(decoder.config.score_activation),
      attends_(decoder.config.kind == AttentionKind::soft),
      embedded_(embedded.detach()),
      h0_(start.h.detach()),
      c0_(start.c.detach()),
      weight_ih_(decoder.cell.weight_ih.detach()) {
  bias_ = decoder.cell.bias_ih.detach() + decoder.cell.bias_hh.detach();
  from_h_ = decoder.cell.weight_hh.detach();
  if (attends_) {
    features_ = memory.features.detach();
    keys_ = memory.keys.detach();
    features_need_gradient_ = memory.features.requires_grad();
    score_ = decoder.score.detach();
    gate_bias_ = decoder.gate.bias.detach();
    locations_ = features_.size(1);
    channels_ = features_.size(2);
    width_ = keys_.size(2);
    gate_width_ = gate_bias_.size(0);
    from_h_ = concat({decoder.query.weight.detach(), from_h_, decoder.gate.weight.detach()}, 0);
  }
  projection_ = width_ + 4 * hidden_ + gate_width_;
}

Sequence Recurrence::forward() {
  const DType dtype = embedded_.dtype();
  const Device place = embedded_.device();
  gates_ = linear(embedded_, slice(weight_ih_, 1, 0, word_), bias_);
  h_ = Tensor({tokens_, hidden_}, dtype, place);
  c_ = Tensor({tokens_, hidden_}, dtype, place);
  projected_ = Tensor({tokens_, projection_}, dtype, place);
  if (attends_) {
    alpha_ = Tensor({tokens_, locations_}, dtype, place);
    context_ = Tensor({tokens_, channels_}, dtype, place);
    gated_ = Tensor({tokens_, channels_}, dtype, place);
  }
  on(embedded_, [&](auto device, auto zero) { run_forward<decltype(zero)>(device); });
  return {h_, gated_, alpha_};
}

template <class T, class Device>
void Recurrence::run_forward(Device device) {
  const Packed<Device, T> from_h(device, hidden_, projection_, {from_h_.data<T>(), hidden_, true});
  const Packed<Device, T> from_context(device, channels_, 4 * hidden_,
                                       {weight_ih_.data<T>() + word_, word_ + channels_, true});
  for (std::int64_t t = 0; t < steps(); ++t) {
    const std::int64_t first = at(t), m = rows(t);
    T* projected = projected_.data<T>() + first * projection_;
    T* gates = gates_.data<T>() + first * 4 * hidden_;
    from_h(m, before<T>(h0_, h_, t), hidden_, false, projected, projection_);
    if (attends_) {
      T* context = context_.data<T>() + first * channels_;
      T* gated = gated_.data<T>() + first * channels_;
      kernels::attention_forward<T>(device, attention_shape(m), attention_inputs<T>(first),
                                    alpha_.data<T>() + first * locations_, context);
      kernels::gate_forward<T>(device, m, channels_, gate_width_, gate_bias_.data<T>(),
                               projected + width_ + 4 * hidden_, projection_, context, gated);
      from_context(m, gated, channels_, true, gates, 4 * hidden_);
    }
    kernels::lstm_forward<T>(device, m, hidden_, gates, projected + width_, projection_, before<T>(c0_, c_, t), gates,
                             c_.data<T>() + first * hidden_, h_.data<T>() + first * hidden_);
  }
}

/// Gradients of, in this order: features, keys, embedded, h0, c0, score, query.weight, gate.weight, gate.bias,
/// weight_ih, weight_hh, bias_ih, bias_hh.
Gradients Recurrence::backward(const Gradients& dy) {
  const DType dtype = embedded_.dtype();
  const Device place = embedded_.device();
  const Tensor dprojected({tokens_, projection_}, dtype, place);
  const Tensor dh0 = empty_like(h0_), dc0 = empty_like(c0_);
  Tensor descore, dcontext;
  if (attends_) {
    descore = empty_like(alpha_);
    dcontext = Tensor({features_need_gradient_ ? tokens_ : h0_.size(0), channels_}, dtype, place);
  }
  on(embedded_,
     [&](auto device, auto zero) { walk_back<decltype(zero)>(device, dy, dprojected, descore, dcontext, dh0, dc0); });

  Gradients result(13);
  result[3] = dh0;
  result[4] = dc0;
  const Tensor dfrom_h = matmul(dprojected, states_before(), true, false), dbias = sum(dprojected, 0);
  const std::int64_t gates_end = width_ + 4 * hidden_;
  result[10] = dfrom_h.rows(width_, gates_end);
  result[11] = result[12] = dbias.rows(width_, gates_end);
  if (attends_) {
    result[6] = dfrom_h.rows(0, width_);
    result[7] = dfrom_h.rows(gates_end, projection_);
    result[8] = dbias.rows(gates_end, projection_);
    attention_gradients(descore, dcontext, result);
  }
  input_gradients(dprojected, result);
  return result;
}

/// The state that each token's step began with, (N,H).
Tensor Recurrence::states_before() const {
  const Tensor result = empty_like(h_);
  for (std::int64_t t = 0; t < steps(); ++t)
    result.rows(at(t), at(t + 1)).copy_from(t == 0 ? h0_.rows(0, rows(0)) : h_.rows(at(t - 1), at(t - 1) + rows(t)));
  return result;
}

template <class T, class Device>
void Recurrence::walk_back(Device device, const Gradients& dy, const Tensor& dprojected, const Tensor& descore,
                           const Tensor& dcontext, const Tensor& dh, const Tensor& dc) const {
  const auto given = [&](std::size_t i) { return dy[i].defined() ? dy[i].data<T>() : nullptr; };
  const T *dstates = given(0), *dgated = attends_ ? given(1) : nullptr, *dalpha = attends_ ? given(2) : nullptr;
  const Packed<Device, T> to_h(device, projection_, hidden_, {from_h_.data<T>(), hidden_});
  const Packed<Device, T> to_context(device, 4 * hidden_, channels_, {weight_ih_.data<T>() + word_, word_ + channels_});
  for (std::int64_t t = steps() - 1; t >= 0; --t) {
    const std::int64_t first = at(t), m = rows(t);
    T* projected = dprojected.data<T>() + first * projection_;
    kernels::LstmGradients<T> later;
    later.dh = dstates ? dstates + first * hidden_ : nullptr;
    later.dh_later = dh.data<T>();
    later.dc_next = dc.data<T>();
    later.later_rows = t + 1 < steps() ? rows(t + 1) : 0;
    kernels::lstm_backward<T>(device, m, hidden_, gates_.data<T>() + first * 4 * hidden_, before<T>(c0_, c_, t),
                              c_.data<T>() + first * hidden_, later, projected + width_, projection_, dc.data<T>());
    if (attends_) {
      T* dz = dcontext.data<T>() + (features_need_gradient_ ? first * channels_ : 0);
      const std::int64_t gate_at = width_ + 4 * hidden_;
      if (dgated)
        kernels::copy_bytes(device, m * channels_ * static_cast<std::int64_t>(sizeof(T)), dgated + first * channels_,
                            dz);
      to_context(m, projected + width_, projection_, dgated != nullptr, dz, channels_);
      kernels::gate_backward<T>(device, m, channels_, gate_width_, projected_.data<T>() + first * projection_ + gate_at,
                                projection_, context_.data<T>() + first * channels_, dz, dz, projected + gate_at,
                                projection_);
      kernels::attention_backward<T>(device, attention_shape(m), attention_inputs<T>(first),
                                     alpha_.data<T>() + first * locations_, dz,
                                     dalpha ? dalpha + first * locations_ : nullptr,
                                     descore.data<T>() + first * locations_, projected, projection_);
    }
    to_h(m, projected, projection_, false, dh.data<T>(), hidden_);
  }
}

/// Gradients of features, keys and score, once over all words of each image.
void Recurrence::attention_gradients(const Tensor& descore, const Tensor& dcontext, Gradients& result) const {
  std::vector<std::int64_t> first{0}, row;
  for (std::int64_t image = 0; image < rows(0); ++image) {
    for (std::int64_t t = 0; t < steps() && image < rows(t); ++t) row.push_back(at(t) + image);
    first.push_back(static_cast<std::int64_t>(row.size()));
  }
  kernels::AttentionShape shape = attention_shape(rows(0));
  shape.first = first.data();
  shape.row = row.data();
  const Tensor dkeys = empty_like(keys_), dscore = empty_like(score_);
  const Tensor partial({rows(0), width_}, keys_.dtype(), keys_.device());
  on(keys_, [&](auto device, auto zero) {
    using T = decltype(zero);
    kernels::attention_backward_keys<T>(device, shape, attention_inputs<T>(0), descore.data<T>(), dkeys.data<T>(),
                                        dscore.data<T>(), partial.data<T>());
    if (!features_need_gradient_) return;
    result[0] = empty_like(features_);
    kernels::attention_backward_features<T>(device, shape, alpha_.data<T>(), dcontext.data<T>(), result[0].data<T>());
  });
  result[1] = dkeys;
  result[5] = dscore;
}

/// Gradients of the embedded words and of weight_ih, whose columns are those of the words and those of the context.
void Recurrence::input_gradients(const Tensor& dprojected, Gradients& result) const {
  const std::int64_t inputs = word_ + channels_;
  result[2] = empty_like(embedded_);
  result[9] = empty_like(weight_ih_);
  on(embedded_, [&](auto device, auto zero) {
    using T = decltype(zero);
    const T* dgates = dprojected.data<T>() + width_;
    kernels::gemm<T>(device, tokens_, word_, 4 * hidden_, T(1), {dgates, projection_}, {weight_ih_.data<T>(), inputs},
                     T(0), result[2].data<T>(), word_);
    kernels::gemm<T>(device, 4 * hidden_, word_, tokens_, T(1), {dgates, projection_, true},
                     {embedded_.data<T>(), word_}, T(0), result[9].data<T>(), inputs);
    if (!attends_) return;
    kernels::gemm<T>(device, 4 * hidden_, channels_, tokens_, T(1), {dgates, projection_, true},
                     {gated_.data<T>(), channels_}, T(0), result[9].data<T>() + word_, inputs);
  });
}

}  // namespace

Sequence run_sequence(const Decoder& decoder, const DecoderMemory& memory, const Tensor& embedded,
                      const DecoderState& start, const TokenBatch& batch) {
  const auto recurrence = std::make_shared<Recurrence>(decoder, memory, embedded, start, batch);
  const Sequence result = recurrence->forward();
  const bool attends = result.alpha.defined();
  std::vector<Tensor> outputs{result.h};
  if (attends) outputs.insert(outputs.end(), {result.context, result.alpha});
  const std::vector<Tensor> inputs{attends ? memory.features : Tensor(),
                                   memory.keys,
                                   embedded,
                                   start.h,
                                   start.c,
                                   decoder.score,
                                   decoder.query.weight,
                                   decoder.gate.weight,
                                   decoder.gate.bias,
                                   decoder.cell.weight_ih,
                                   decoder.cell.weight_hh,
                                   decoder.cell.bias_ih,
                                   decoder.cell.bias_hh};
  const std::vector<Tensor> y = differentiable("decoder_sequence", outputs, inputs,
                                               [recurrence](const Gradients& dy) { return recurrence->backward(dy); });
  return {y[0], attends ? y[1] : Tensor(), attends ? y[2] : Tensor()};
}

}  // namespace glimpse
