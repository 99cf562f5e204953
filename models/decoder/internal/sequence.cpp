#include "glimpse/models/decoder/internal/sequence.h"

#include <memory>
#include <optional>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/attention/attention.h"
#include "glimpse/kernels/convert.h"
#include "glimpse/kernels/embedding.h"
#include "glimpse/kernels/gate.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/kernels/lstm.h"
#include "glimpse/models/decoder/internal/image_groups.h"
#include "glimpse/models/decoder/internal/packed_matrix.h"

namespace glimpse {
namespace {

/// The inputs of the op, and so their gradients, by number.
namespace input {
enum : std::size_t {
  features,
  keys,
  embedded,
  h0,
  c0,
  score,
  query_weight,
  gate_weight,
  gate_bias,
  weight_ih,
  weight_hh,
  bias_ih,
  bias_hh,
  count
};
}  // namespace input

/// Its results.
namespace result {
enum : std::size_t { h, context, alpha };
}  // namespace result

/// Gradients of what the steps compute, filled while walking back.
struct StepGradients {
  Tensor dgates;      // (N,4H), before the activations
  Tensor dprojected;  // (N,A+G)
  Tensor descore;     // (N,L)
  Tensor dcontext;    // (N,D), or (B,D) that each step uses anew when the features need no gradient
  Tensor dh, dc;      // (B,H), in the end of the state before the first step
};

/// One run over a batch, and everything that its backward pass needs.
class Recurrence {
 public:
  Recurrence(const Decoder& decoder, const DecoderMemory& memory, const EmbeddedWords& words, const DecoderState& start,
             const TokenBatch& batch);

  Sequence forward();
  /// Of the inputs in the order of run_sequence.
  Gradients backward(const Gradients& dy) const;

 private:
  std::int64_t at(std::int64_t step) const { return offset_[step]; }
  std::int64_t rows(std::int64_t step) const { return at(step + 1) - at(step); }
  std::int64_t steps() const { return static_cast<std::int64_t>(offset_.size()) - 1; }
  std::int64_t projection() const { return attention_size_ + gate_size_; }
  kernels::AttentionShape attention_sizes() const {
    return {.locations = locations_, .width = attention_size_, .channels = channels_};
  }

  template <class T>
  kernels::AttentionInputs<T> attention_inputs(std::int64_t token) const;
  /// The first row of the state that step `step` begins with.
  template <class T>
  const T* before(const Tensor& first, const Tensor& states, std::int64_t step) const {
    return step == 0 ? first.data<T>() : states.data<T>() + at(step - 1) * hidden_;
  }
  Tensor states_before() const;

  template <class T, class Device>
  void run_forward(Device device);
  template <class T, class Device>
  void walk_back(Device device, const Gradients& dy, const StepGradients& steps_d) const;
  template <class T, class Device>
  void attention_back(Device device, std::int64_t step, const Gradients& dy, const StepGradients& d, T* dz) const;
  void attention_gradients(const StepGradients& d, Gradients& gradients) const;
  void input_gradients(const Tensor& dgates, Gradients& gradients) const;

  std::vector<std::int64_t> offset_;  // first token of each step
  std::int64_t tokens_, hidden_, embedding_size_, locations_ = 0, attention_size_ = 0, channels_ = 0, gate_size_ = 0;
  Activation activation_;
  bool attends_, features_need_gradient_ = false;
  std::optional<ImageGroups> groups_;
  Tensor embedded_, slot_;  // as in EmbeddedWords
  Tensor features_, keys_, score_, h0_, c0_, gate_bias_;
  Tensor weight_ih_, weight_hh_, bias_;  // (4H,E+D), (4H,H), (4H)
  Tensor projection_weight_;             // (A+G,H): query.weight over gate.weight
  Tensor h_, c_, gates_;                 // (N,H), (N,H), (N,4H) activated
  Tensor projected_;                     // (N,A+G): queries, and gates of the context after their activation
  Tensor alpha_, context_, gated_;       // (N,L), (N,D), (N,D)
};

Recurrence::Recurrence(const Decoder& decoder, const DecoderMemory& memory, const EmbeddedWords& words,
                       const DecoderState& start, const TokenBatch& batch)
    : offset_(batch.offset),
      tokens_(batch.tokens()),
      hidden_(decoder.config.hidden),
      embedding_size_(decoder.config.embedding),
      activation_(decoder.config.score),
      attends_(decoder.config.attends()),
      embedded_(words.rows.detach()),
      slot_(words.slot),
      h0_(start.h.detach()),
      c0_(start.c.detach()),
      weight_ih_(decoder.cell.weight_ih.detach()),
      weight_hh_(decoder.cell.weight_hh.detach()),
      bias_(decoder.cell.bias_ih.detach() + decoder.cell.bias_hh.detach()) {
  if (!attends_) return;
  groups_.emplace(batch, embedded_.device());
  features_ = memory.features.detach();
  keys_ = memory.keys.detach();
  features_need_gradient_ = memory.features.requires_grad();
  score_ = decoder.score.detach();
  gate_bias_ = decoder.gate.bias.detach();
  locations_ = features_.size(1);
  channels_ = features_.size(2);
  attention_size_ = keys_.size(2);
  gate_size_ = gate_bias_.size(0);
  projection_weight_ = concat({decoder.query.weight.detach(), decoder.gate.weight.detach()}, 0);
}

template <class T>
kernels::AttentionInputs<T> Recurrence::attention_inputs(std::int64_t token) const {
  kernels::AttentionInputs<T> in;
  in.activation = activation_;
  in.keys = keys_.data<T>();
  in.features = features_.data<T>();
  in.score = score_.data<T>();
  in.query = projected_.data<T>() + token * projection();
  in.query_stride = projection();
  return in;
}

Sequence Recurrence::forward() {
  const auto per_token = [&](std::int64_t size) {
    return Tensor({tokens_, size}, embedded_.dtype(), embedded_.device());
  };
  gates_ = linear(embedded_, slice(weight_ih_, 1, 0, embedding_size_), bias_);
  if (slot_.defined()) gates_ = gather_rows(gates_, slot_);
  h_ = per_token(hidden_);
  c_ = per_token(hidden_);
  if (attends_) {
    projected_ = per_token(projection());
    alpha_ = per_token(locations_);
    context_ = per_token(channels_);
    gated_ = per_token(channels_);
  }
  on(embedded_, [&]<class T>(auto device) { run_forward<T>(device); });
  return {h_, gated_, alpha_};
}

template <class T, class Device>
void Recurrence::run_forward(Device device) {
  using Matrix = PackedMatrix<Device, T>;
  const Matrix gates_of_h(device, hidden_, 4 * hidden_, {weight_hh_.data<T>(), hidden_, true});
  std::optional<Matrix> projection_of_h, gates_of_context;
  if (attends_) {
    projection_of_h.emplace(device, hidden_, projection(),
                            kernels::Operand<T>{projection_weight_.data<T>(), hidden_, true});
    gates_of_context.emplace(
        device, channels_, 4 * hidden_,
        kernels::Operand<T>{weight_ih_.data<T>() + embedding_size_, embedding_size_ + channels_, true});
  }
  for (std::int64_t t = 0; t < steps(); ++t) {
    const std::int64_t first = at(t), m = rows(t);
    const T* h = before<T>(h0_, h_, t);
    T* gates = gates_.data<T>() + first * 4 * hidden_;
    if (attends_) {
      T* projected = projected_.data<T>() + first * projection();
      T* context = context_.data<T>() + first * channels_;
      T* gated = gated_.data<T>() + first * channels_;
      projection_of_h->multiply(m, h, projected);
      kernels::attention_forward<T>(device, groups_->of_step(t, attention_sizes()), attention_inputs<T>(first),
                                    alpha_.data<T>() + first * locations_, context);
      kernels::gate_forward<T>(device, {.queries = m,
                                        .channels = channels_,
                                        .width = gate_size_,
                                        .bias = gate_bias_.data<T>(),
                                        .gate = projected + attention_size_,
                                        .gate_stride = projection(),
                                        .context = context,
                                        .gated = gated});
      gates_of_context->add_product(m, gated, gates);
    }
    gates_of_h.add_product(m, h, gates);
    kernels::lstm_forward<T>(device, {.batch = m,
                                      .hidden = hidden_,
                                      .gates = gates,
                                      .c = before<T>(c0_, c_, t),
                                      .activated = gates,
                                      .c_next = c_.data<T>() + first * hidden_,
                                      .h_next = h_.data<T>() + first * hidden_});
  }
}

Gradients Recurrence::backward(const Gradients& dy) const {
  StepGradients d;
  d.dgates = empty_like(gates_);
  d.dh = empty_like(h0_);
  d.dc = empty_like(c0_);
  if (attends_) {
    d.dprojected = empty_like(projected_);
    d.descore = empty_like(alpha_);
    d.dcontext = features_need_gradient_ ? empty_like(context_)
                                         : Tensor({rows(0), channels_}, context_.dtype(), context_.device());
  }
  on(embedded_, [&]<class T>(auto device) { walk_back<T>(device, dy, d); });

  Gradients gradients(input::count);
  gradients[input::h0] = d.dh;
  gradients[input::c0] = d.dc;
  const Tensor before_steps = states_before();
  gradients[input::weight_hh] = matmul(d.dgates, before_steps, true, false);
  gradients[input::bias_ih] = gradients[input::bias_hh] = sum(d.dgates, 0);
  if (attends_) {
    const Tensor dweight = matmul(d.dprojected, before_steps, true, false);
    gradients[input::query_weight] = dweight.rows(0, attention_size_);
    gradients[input::gate_weight] = dweight.rows(attention_size_, projection());
    gradients[input::gate_bias] = sum(d.dprojected, 0).rows(attention_size_, projection());
    attention_gradients(d, gradients);
  }
  input_gradients(d.dgates, gradients);
  return gradients;
}

/// The state that each token's step began with, (N,H).
Tensor Recurrence::states_before() const {
  const Tensor result = empty_like(h_);
  for (std::int64_t t = 0; t < steps(); ++t)
    result.rows(at(t), at(t + 1)).copy_from(t == 0 ? h0_ : h_.rows(at(t - 1), at(t - 1) + rows(t)));
  return result;
}

template <class T, class Device>
void Recurrence::walk_back(Device device, const Gradients& dy, const StepGradients& d) const {
  using Matrix = PackedMatrix<Device, T>;
  const Matrix h_of_gates(device, 4 * hidden_, hidden_, {weight_hh_.data<T>(), hidden_});
  std::optional<Matrix> h_of_projection, context_of_gates;
  if (attends_) {
    h_of_projection.emplace(device, projection(), hidden_, kernels::Operand<T>{projection_weight_.data<T>(), hidden_});
    context_of_gates.emplace(device, 4 * hidden_, channels_,
                             kernels::Operand<T>{weight_ih_.data<T>() + embedding_size_, embedding_size_ + channels_});
  }
  T *dh = d.dh.data<T>(), *dc = d.dc.data<T>();
  for (std::int64_t t = steps() - 1; t >= 0; --t) {
    const std::int64_t first = at(t), m = rows(t);
    T* dgates = d.dgates.data<T>() + first * 4 * hidden_;
    kernels::lstm_backward<T>(
        device, {.batch = m,
                 .hidden = hidden_,
                 .activated = gates_.data<T>() + first * 4 * hidden_,
                 .c = before<T>(c0_, c_, t),
                 .c_next = c_.data<T>() + first * hidden_,
                 .received = {.dh = dy[result::h].defined() ? dy[result::h].data<T>() + first * hidden_ : nullptr,
                              .dh_later = dh,
                              .dc_next = dc,
                              .later_rows = t + 1 < steps() ? rows(t + 1) : 0},
                 .dgates = dgates,
                 .dc = dc});
    h_of_gates.multiply(m, dgates, dh);
    if (!attends_) continue;
    T* dz = d.dcontext.data<T>() + (features_need_gradient_ ? first * channels_ : 0);
    if (dy[result::context].defined()) {
      kernels::copy_bytes(device, m * channels_ * static_cast<std::int64_t>(sizeof(T)),
                          dy[result::context].data<T>() + first * channels_, dz);
      context_of_gates->add_product(m, dgates, dz);
    } else {
      context_of_gates->multiply(m, dgates, dz);
    }
    attention_back<T>(device, t, dy, d, dz);
    h_of_projection->add_product(m, d.dprojected.data<T>() + first * projection(), dh);
  }
}

/// From the gradient of the gated context, dz (m,D), which becomes that of the context, to that of the projection of h.
template <class T, class Device>
void Recurrence::attention_back(Device device, std::int64_t step, const Gradients& dy, const StepGradients& d,
                                T* dz) const {
  const std::int64_t first = at(step), m = rows(step);
  T* dprojected = d.dprojected.data<T>() + first * projection();
  kernels::gate_backward<T>(device, {.queries = m,
                                     .channels = channels_,
                                     .width = gate_size_,
                                     .gate = projected_.data<T>() + first * projection() + attention_size_,
                                     .gate_stride = projection(),
                                     .context = context_.data<T>() + first * channels_,
                                     .dgated = dz,
                                     .dcontext = dz,
                                     .dgate = dprojected + attention_size_,
                                     .dgate_stride = projection()});
  kernels::attention_backward<T>(
      device, groups_->of_step(step, attention_sizes()), attention_inputs<T>(first),
      {.alpha = alpha_.data<T>() + first * locations_,
       .dcontext = dz,
       .dalpha = dy[result::alpha].defined() ? dy[result::alpha].data<T>() + first * locations_ : nullptr,
       .descore = d.descore.data<T>() + first * locations_,
       .dquery = dprojected,
       .dquery_stride = projection()});
}

/// Gradients of features, keys and score, once over all words of each image.
void Recurrence::attention_gradients(const StepGradients& d, Gradients& gradients) const {
  const kernels::AttentionShape shape = groups_->of_all(attention_sizes());
  const Tensor dkeys = empty_like(keys_), dscore = empty_like(score_);
  const Tensor partial({keys_.size(0), attention_size_}, keys_.dtype(), keys_.device());
  on(keys_, [&]<class T>(auto device) {
    kernels::attention_backward_keys<T>(device, shape, attention_inputs<T>(0), d.descore.data<T>(), dkeys.data<T>(),
                                        dscore.data<T>(), partial.data<T>());
    if (!features_need_gradient_) return;
    gradients[input::features] = empty_like(features_);
    kernels::attention_backward_features<T>(device, shape, alpha_.data<T>(), d.dcontext.data<T>(),
                                            gradients[input::features].data<T>());
  });
  gradients[input::keys] = dkeys;
  gradients[input::score] = dscore;
}

/// Gradients of the embedded words and of weight_ih, whose columns are those of the words and those of the context.
void Recurrence::input_gradients(const Tensor& dgates, Gradients& gradients) const {
  const std::int64_t inputs = embedding_size_ + channels_, words = embedded_.size(0), gates = 4 * hidden_;
  // dgates summed over each word's tokens
  const Tensor by_word = slot_.defined() ? Tensor({words, gates}, dgates.dtype(), dgates.device()) : dgates;
  gradients[input::embedded] = empty_like(embedded_);
  gradients[input::weight_ih] = empty_like(weight_ih_);
  on(embedded_, [&]<class T>(auto device) {
    T *sums = by_word.data<T>(), *dweight = gradients[input::weight_ih].data<T>();
    if (slot_.defined())
      kernels::sum_rows_by_index<T>(device, words, tokens_, gates, dgates.data<T>(), slot_.data<std::int32_t>(), sums);
    kernels::gemm<T>(device, words, embedding_size_, gates, T(1), {sums, gates}, {weight_ih_.data<T>(), inputs}, T(0),
                     gradients[input::embedded].data<T>(), embedding_size_);
    kernels::gemm<T>(device, gates, embedding_size_, words, T(1), {sums, gates, true},
                     {embedded_.data<T>(), embedding_size_}, T(0), dweight, inputs);
    if (!attends_) return;
    kernels::gemm<T>(device, gates, channels_, tokens_, T(1), {dgates.data<T>(), gates, true},
                     {gated_.data<T>(), channels_}, T(0), dweight + embedding_size_, inputs);
  });
}

}  // namespace

Sequence run_sequence(const Decoder& decoder, const DecoderMemory& memory, const EmbeddedWords& words,
                      const DecoderState& start, const TokenBatch& batch) {
  const auto recurrence = std::make_shared<Recurrence>(decoder, memory, words, start, batch);
  const Sequence sequence = recurrence->forward();
  const bool attends = sequence.alpha.defined();
  std::vector<Tensor> outputs{sequence.h};
  if (attends) outputs.insert(outputs.end(), {sequence.context, sequence.alpha});
  std::vector<Tensor> inputs(input::count);
  if (attends) inputs[input::features] = memory.features;
  inputs[input::keys] = memory.keys;
  inputs[input::embedded] = words.rows;
  inputs[input::h0] = start.h;
  inputs[input::c0] = start.c;
  inputs[input::score] = decoder.score;
  inputs[input::query_weight] = decoder.query.weight;
  inputs[input::gate_weight] = decoder.gate.weight;
  inputs[input::gate_bias] = decoder.gate.bias;
  inputs[input::weight_ih] = decoder.cell.weight_ih;
  inputs[input::weight_hh] = decoder.cell.weight_hh;
  inputs[input::bias_ih] = decoder.cell.bias_ih;
  inputs[input::bias_hh] = decoder.cell.bias_hh;
  const std::vector<Tensor> y = differentiable("decoder_sequence", outputs, inputs,
                                               [recurrence](const Gradients& dy) { return recurrence->backward(dy); });
  if (!attends) return {y[result::h], {}, {}};
  return {y[result::h], y[result::context], y[result::alpha]};
}

}  // namespace glimpse
