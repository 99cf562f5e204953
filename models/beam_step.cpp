#include "glimpse/models/beam_step.h"

#include <algorithm>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/attention.h"
#include "glimpse/kernels/lstm.h"
#include "glimpse/kernels/packed_gemm.h"
#include "glimpse/models/decoder_parts.h"

namespace glimpse {

void BeamStep::Matrix::multiply(const Tensor& x, bool accumulate, const Tensor& y) const {
  on(x, [&](auto device, auto zero) {
    using T = decltype(zero);
    kernels::packed_gemm<T>(device, x.size(0), n, k, x.data<T>(), packed.data<T>(), accumulate, y.data<T>());
  });
}

/// Columns [first_column, first_column + columns) of weight (n,K), transposed: what x (R,columns) is multiplied by.
BeamStep::Matrix BeamStep::pack_transposed(const Tensor& weight, std::int64_t first_column, std::int64_t columns) {
  Matrix matrix{columns, weight.size(0), {}};
  on(weight, [&](auto device, auto zero) {
    using T = decltype(zero);
    matrix.packed = Tensor({kernels::packed_size<T>(device, matrix.k, matrix.n)}, weight.dtype(), weight.device());
    kernels::pack<T>(device, matrix.k, matrix.n, {weight.data<T>() + first_column, weight.size(1), true},
                     matrix.packed.data<T>());
  });
  return matrix;
}

BeamStep::BeamStep(const Decoder& decoder, const Tensor& features) : decoder_(decoder), features_(features) {
  keys_ = decoder.remember(features).keys;
  const LstmCell& cell = decoder.cell;
  const std::int64_t word = decoder.config.embedding, hidden = decoder.config.hidden;
  gates_of_h_ = pack_transposed(cell.weight_hh, 0, hidden);
  if (keys_.defined()) {
    projection_ = pack_transposed(concat({decoder.query.weight, decoder.gate.weight}, 0), 0, hidden);
    gates_of_context_ = pack_transposed(cell.weight_ih, word, decoder.config.channels);
  }
  output_ = pack_transposed(decoder.output.weight, 0, decoder.output.weight.size(1));
  word_weight_ = slice(cell.weight_ih, 1, 0, word);
  bias_ = cell.bias_ih + cell.bias_hh;
  slot_.assign(static_cast<std::size_t>(decoder.config.vocabulary), -1);
}

Tensor BeamStep::gates_of_words(const std::vector<std::int32_t>& words) {
  std::vector<std::int32_t> unseen;
  for (const std::int32_t word : words)
    if (std::int32_t& slot = slot_[static_cast<std::size_t>(word)]; slot < 0) {
      slot = static_cast<std::int32_t>(seen_) + static_cast<std::int32_t>(unseen.size());
      unseen.push_back(word);
    }
  if (!unseen.empty()) {
    const Tensor fresh = linear(decoder_.embedding(from(unseen)), word_weight_, bias_);
    const std::int64_t needed = seen_ + fresh.size(0);
    if (!word_gates_.defined() || needed > word_gates_.size(0)) {
      const Tensor larger({2 * needed, fresh.size(1)}, fresh.dtype(), fresh.device());
      if (seen_ > 0) larger.rows(0, seen_).copy_from(word_gates_.rows(0, seen_));
      word_gates_ = larger;
    }
    word_gates_.rows(seen_, needed).copy_from(fresh);
    seen_ = needed;
  }
  std::vector<std::int32_t> slots;
  for (const std::int32_t word : words) slots.push_back(slot_[static_cast<std::size_t>(word)]);
  return gather_rows(word_gates_, from(slots));
}

std::pair<Tensor, Tensor> BeamStep::attend(const BeamGroups& groups, const Tensor& h) const {
  const std::int64_t rows = h.size(0), width = keys_.size(2), channels = features_.size(2);
  const Tensor projected({rows, projection_.n}, h.dtype(), h.device());
  projection_.multiply(h, false, projected);
  const Tensor alpha({rows, features_.size(1)}, h.dtype(), h.device());
  const Tensor context({rows, channels}, h.dtype(), h.device()), gated = empty_like(context);
  kernels::AttentionShape shape{groups.groups(), features_.size(1), width, channels};
  shape.image = groups.image.data();
  shape.first = groups.first.data();
  on(h, [&](auto device, auto zero) {
    using T = decltype(zero);
    kernels::AttentionInputs<T> in;
    in.function = decoder_.config.score_activation == Activation::tanh ? kernels::ScoreFunction::tanh
                                                                       : kernels::ScoreFunction::relu;
    in.keys = keys_.data<T>();
    in.features = features_.data<T>();
    in.score = decoder_.score.data<T>();
    in.query = projected.data<T>();
    in.query_stride = projection_.n;
    kernels::attention_forward<T>(device, shape, in, alpha.data<T>(), context.data<T>());
    kernels::gate_forward<T>(device, rows, channels, projection_.n - width, decoder_.gate.bias.data<T>(),
                             projected.data<T>() + width, projection_.n, context.data<T>(), gated.data<T>());
  });
  return {gated, alpha};
}

DecoderStep BeamStep::operator()(const BeamGroups& groups, const std::vector<std::int32_t>& words,
                                 const DecoderState& state) {
  const Tensor gates = gates_of_words(words);
  Tensor context, alpha;
  if (keys_.defined()) {
    std::tie(context, alpha) = attend(groups, state.h);
    gates_of_context_.multiply(context, true, gates);
  }
  gates_of_h_.multiply(state.h, true, gates);
  const DecoderState next{empty_like(state.h), empty_like(state.c)};
  on(gates, [&](auto device, auto zero) {
    using T = decltype(zero);
    kernels::lstm_forward<T>(device, groups.rows(), state.h.size(1), gates.data<T>(), state.c.data<T>(),
                             gates.data<T>(), next.c.data<T>(), next.h.data<T>());
  });
  const Tensor embedded = decoder_.config.deep_output ? decoder_.embedding(from(words)) : Tensor();
  const Tensor input = output_input(decoder_, next.h, embedded, context, {});
  const Tensor logits = zeros({groups.rows(), output_.n}, input.dtype(), input.device()) + decoder_.output.bias;
  output_.multiply(input, true, logits);
  return {next, logits, alpha, {}};
}

}  // namespace glimpse
