#include "glimpse/models/decoder/internal/sequence.h"

#include <memory>
#include <optional>

#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/internal/rows_at.h"
#include "glimpse/engine/ops.h"
#include "glimpse/kernels/attention/locations.h"
#include "glimpse/kernels/gate.h"
#include "glimpse/kernels/lstm.h"
#include "glimpse/models/decoder/internal/attend.h"
#include "glimpse/models/decoder/internal/packed_matrix.h"
#include "glimpse/models/decoder/internal/recurrence.h"

namespace glimpse {
namespace recurrence {

Recurrence::Recurrence(const Decoder& decoder, const DecoderMemory& memory, const EmbeddedWords& words,
                       const DecoderState& start, const TokenBatch& batch, const Tensor& uniform)
    : offset_(batch.offset),
      tokens_(batch.tokens()),
      hidden_(decoder.config.hidden),
      embedding_size_(decoder.config.embedding),
      activation_(decoder.config.score),
      attends_(decoder.config.context_in_lstm()),
      embedded_(words.rows.detach()),
      slot_(words.slot),
      state_before_(batch.state_before),
      uniform_(uniform),
      h0_(start.h.detach()),
      c0_(start.c.detach()),
      weight_ih_(decoder.cell.weight_ih.detach()),
      weight_hh_(decoder.cell.weight_hh.detach()),
      bias_(decoder.cell.bias_ih.detach() + decoder.cell.bias_hh.detach()) {
  if (memory.image.defined()) image_ = memory.image.detach();
  if (memory.image.defined() || uniform.defined()) image_of_ = image_of_tokens(batch, embedded_.device());
  if (!attends_) return;
  groups_ = groups_of(batch, embedded_.device());
  features_ = memory.features.detach();
  keys_ = memory.keys.detach();
  features_need_gradient_ = memory.features.requires_grad();
  score_ = decoder.score.detach();
  gate_bias_ = decoder.gate.bias.detach();
  locations_ = features_.size(1);
  channels_ = features_.size(2);
  attention_size_ = keys_.size(2);
  gate_size_ = gate_bias_.size(0);
  joined_ = keys_.device() != Device::cpu;
  std::vector<Tensor> of_h{decoder.query.weight.detach(), decoder.gate.weight.detach()};
  if (joined_) of_h.push_back(weight_hh_);
  projection_weight_ = concat(of_h, 0);
}

Sequence Recurrence::forward() {
  const auto per_token = [&](std::int64_t size) {
    return Tensor({tokens_, size}, embedded_.dtype(), embedded_.device());
  };
  gates_ = linear(embedded_, slice(weight_ih_, 1, 0, embedding_size_), bias_);
  if (slot_.defined()) gates_ = rows_at(gates_, slot_);
  if (image_.defined())
    add_into(gates_, rows_at(linear(image_, slice(weight_ih_, 1, embedding_size_, weight_ih_.size(1))), image_of_));
  states_ = Tensor({h0_.size(0) + tokens_, hidden_}, h0_.dtype(), h0_.device());
  states_.rows(0, h0_.size(0)).copy_from(h0_);
  h_ = states_.rows(h0_.size(0), states_.size(0));
  c_ = per_token(hidden_);
  if (attends_) {
    projected_ = per_token(projection_stride());
    alpha_ = per_token(locations_);
    context_ = per_token(channels_);
    if (uniform_.defined()) location_ = Tensor({tokens_}, DType::i32, embedded_.device());
    gated_ = per_token(channels_);
  }
  on(embedded_, [&]<class T>(auto device) { run_forward<T>(device); });
  return {h_, c_, gated_, alpha_, location_};
}

template <class T, class Device>
void Recurrence::run_forward(Device device) {
  using Matrix = PackedMatrix<Device, T>;
  std::optional<Matrix> gates_of_h, projection_of_h, gates_of_context;
  if (!joined_)
    gates_of_h.emplace(device, hidden_, 4 * hidden_, kernels::Operand<T>{weight_hh_.data<T>(), hidden_, true});
  if (attends_) {
    projection_of_h.emplace(device, hidden_, projection_stride(),
                            kernels::Operand<T>{projection_weight_.data<T>(), hidden_, true});
    gates_of_context.emplace(
        device, channels_, 4 * hidden_,
        kernels::Operand<T>{weight_ih_.data<T>() + embedding_size_, embedding_size_ + channels_, true});
  }
  for (std::int64_t t = 0; t < steps(); ++t) {
    const std::int64_t first = at(t), m = rows(t);
    const T* h = before<T>(h0_, h_, t);
    T* gates = gates_.data<T>() + first * 4 * hidden_;
    T* projected = attends_ ? projected_.data<T>() + first * projection_stride() : nullptr;
    if (attends_) {
      T* context = context_.data<T>() + first * channels_;
      T* gated = gated_.data<T>() + first * channels_;
      projection_of_h->multiply(m, h, projected);
      kernels::attention_forward<T>(device, groups_->of_step(t, attention_sizes()), attention_inputs<T>(first),
                                    alpha_.data<T>() + first * locations_, context);
      if (location_.defined()) draw_context<T>(device, t);
      kernels::gate_forward<T>(device, {.queries = m,
                                        .channels = channels_,
                                        .width = gate_size_,
                                        .bias = gate_bias_.data<T>(),
                                        .gate = projected + attention_size_,
                                        .gate_stride = projection_stride(),
                                        .context = context,
                                        .gated = gated});
      gates_of_context->add_product(m, gated, gates);
    }
    if (!joined_) gates_of_h->add_product(m, h, gates);
    kernels::lstm_forward<T>(device, {.batch = m,
                                      .hidden = hidden_,
                                      .gates = gates,
                                      .c = before<T>(c0_, c_, t),
                                      .activated = gates,
                                      .c_next = c_.data<T>() + first * hidden_,
                                      .h_next = h_.data<T>() + first * hidden_,
                                      .more = joined_ ? projected + projection() : nullptr,
                                      .more_stride = projection_stride()});
  }
}

/// The contexts of the words that read one location.
template <class T, class Device>
void Recurrence::draw_context(Device device, std::int64_t step) const {
  const std::int64_t first = at(step), m = rows(step);
  std::int32_t* location = location_.data<std::int32_t>() + first;
  kernels::sample_locations<T>(device, m, locations_, alpha_.data<T>() + first * locations_, uniform_.data<T>() + first,
                               location);
  kernels::read_locations<T>(device, m, locations_, channels_, features_.data<T>(),
                             image_of_.data<std::int32_t>() + first, location, context_.data<T>() + first * channels_);
}

}  // namespace recurrence

Sequence run_sequence(const Decoder& decoder, const DecoderMemory& memory, const EmbeddedWords& words,
                      const DecoderState& start, const TokenBatch& batch, const Tensor& uniform) {
  const auto run = std::make_shared<recurrence::Recurrence>(decoder, memory, words, start, batch, uniform);
  const Sequence sequence = run->forward();
  const bool attends = sequence.alpha.defined();
  std::vector<Tensor> outputs{sequence.h, sequence.c};
  if (attends) outputs.insert(outputs.end(), {sequence.context, sequence.alpha});
  namespace input = recurrence::input;
  namespace result = recurrence::result;
  std::vector<Tensor> inputs(input::count);
  if (attends) {
    inputs[input::features] = memory.features;
    inputs[input::keys] = memory.keys;
    inputs[input::score] = decoder.score;
    inputs[input::query_weight] = decoder.query.weight;
    inputs[input::gate_weight] = decoder.gate.weight;
    inputs[input::gate_bias] = decoder.gate.bias;
  }
  inputs[input::image] = memory.image;
  inputs[input::embedded] = words.rows;
  inputs[input::h0] = start.h;
  inputs[input::c0] = start.c;
  inputs[input::weight_ih] = decoder.cell.weight_ih;
  inputs[input::weight_hh] = decoder.cell.weight_hh;
  inputs[input::bias_ih] = decoder.cell.bias_ih;
  inputs[input::bias_hh] = decoder.cell.bias_hh;
  const std::vector<Tensor> y =
      differentiable("decoder_sequence", outputs, inputs, [run](const Gradients& dy) { return run->backward(dy); });
  if (!attends) return {y[result::h], y[result::c], {}, {}, {}};
  return {y[result::h], y[result::c], y[result::context], y[result::alpha], sequence.location};
}

}  // namespace glimpse
