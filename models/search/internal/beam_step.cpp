#include "glimpse/models/search/internal/beam_step.h"

#include <algorithm>
#include <array>

#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/internal/rows_at.h"
#include "glimpse/kernels/attention/attention.h"
#include "glimpse/kernels/gate.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/kernels/lstm.h"
#include "glimpse/kernels/packed_gemm.h"
#include "glimpse/models/decoder/internal/hard.h"
#include "glimpse/models/decoder/internal/parts.h"
#include "glimpse/models/decoder/internal/sentinel.h"

namespace glimpse {
namespace {

/// x (n) as each of `rows` rows.
Tensor broadcast_rows(const Tensor& x, std::int64_t rows) {
  return zeros({rows, x.size(0)}, x.dtype(), x.device()) + x;
}

}  // namespace

std::vector<std::int32_t> BeamGroups::image_of_rows() const {
  std::vector<std::int32_t> result;
  for (std::size_t g = 0; g < image.size(); ++g)
    result.insert(result.end(), static_cast<std::size_t>(first[g + 1] - first[g]), static_cast<std::int32_t>(image[g]));
  return result;
}

BeamStep::Matrix::Matrix(const Tensor& weight, std::int64_t first_column, std::int64_t columns)
    : weight_(weight), first_column_(first_column), columns_(columns) {}

void BeamStep::Matrix::multiply(const Tensor& x, bool accumulate, const Tensor& y) {
  const std::int64_t rows = x.size(0), n = size();
  on(x, [&]<class T>(auto device) {
    const kernels::Operand<T> weight{weight_.data<T>() + first_column_, weight_.size(1), true};
    if constexpr (std::is_same_v<decltype(device), kernels::Cpu>) {
      if (rows > few_rows && !packed_.defined() && ++products_ > patience) {
        packed_ = Tensor({kernels::packed_size<T>(device, columns_, n)}, x.dtype(), x.device());
        kernels::pack<T>(device, columns_, n, weight, packed_.data<T>());
      }
      if (packed_.defined())
        return kernels::packed_gemm<T>(device, rows, n, columns_, x.data<T>(), packed_.data<T>(), accumulate,
                                       y.data<T>());
    }
    kernels::gemm<T>(device, rows, n, columns_, T(1), {x.data<T>(), columns_}, weight, T(accumulate ? 1 : 0),
                     y.data<T>(), n);
  });
}

BeamStep::BeamStep(const Decoder& decoder, const Tensor& features, HardContext hard_context)
    : decoder_(decoder),
      argmax_(decoder.config.is_hard() && hard_context == HardContext::argmax),
      memory_(decoder.remember(features)) {
  const LstmCell& cell = decoder.cell;
  const std::int64_t word = decoder.config.embedding, hidden = decoder.config.hidden;
  gates_of_h_ = Matrix(cell.weight_hh, 0, hidden);
  if (decoder.config.attends()) query_ = Matrix(decoder.query.weight, 0, hidden);
  if (memory_.image.defined())
    image_gates_ = linear(memory_.image, slice(cell.weight_ih, 1, word, cell.weight_ih.size(1)));
  if (decoder.config.context_in_lstm()) {
    gate_ = Matrix(decoder.gate.weight, 0, hidden);
    gates_of_context_ = Matrix(cell.weight_ih, word, decoder.config.context_size());
  }
  const Tensor output = decoder.output_layer().weight;
  output_ = Matrix(output, 0, output.size(1));
  gates_of_words_ = Matrix(cell.weight_ih, 0, word);
  bias_ = cell.bias_ih + cell.bias_hh;
  slot_.assign(decoder.config.vocabulary, -1);
}

BeamStep::Lists BeamStep::send(const BeamGroups& groups, const std::vector<std::int32_t>& words,
                               const std::vector<std::int32_t>& rows) {
  std::vector<std::int32_t> unseen, slots;
  for (const std::int32_t word : words) {
    std::int32_t& slot = slot_[word];
    if (slot < 0) {
      slot = static_cast<std::int32_t>(seen_ + std::ssize(unseen));
      unseen.push_back(word);
    }
    slots.push_back(slot);
  }
  const bool needs_image = memory_.image.defined() || argmax_;
  const std::vector<std::int32_t> image_of = needs_image ? groups.image_of_rows() : std::vector<std::int32_t>{};
  Parcel parcel;
  const std::array at{parcel.add(unseen), parcel.add(slots), parcel.add(words), parcel.add(image_of), parcel.add(rows)};
  Lists lists{.image = {groups.image, parcel}, .first = {groups.first, parcel}};
  parcel.send(bias_.device());
  const auto list = [&](std::size_t number, const std::vector<std::int32_t>& numbers) {
    return numbers.empty() ? Tensor() : parcel.integers(at[number], std::ssize(numbers));
  };
  lists.unseen = list(0, unseen);
  lists.slot = list(1, slots);
  lists.words = list(2, words);
  lists.image_of = list(3, image_of);
  lists.rows = list(4, rows);
  return lists;
}

Tensor BeamStep::word_gates(const Lists& lists) {
  if (lists.unseen.defined()) {
    const std::int64_t needed = seen_ + lists.unseen.size(0);
    if (!word_gates_.defined() || needed > word_gates_.size(0)) {
      const Tensor larger({2 * needed, bias_.size(0)}, bias_.dtype(), bias_.device());
      if (seen_ > 0) larger.rows(0, seen_).copy_from(word_gates_.rows(0, seen_));
      word_gates_ = larger;
    }
    const Tensor fresh = word_gates_.rows(seen_, needed);
    fresh.copy_from(broadcast_rows(bias_, fresh.size(0)));
    gates_of_words_.multiply(rows_at(decoder_.embedding.weight, lists.unseen), true, fresh);
    seen_ = needed;
  }
  return rows_at(word_gates_, lists.slot);
}

Attended BeamStep::attend(std::int64_t groups, const Lists& lists, const Tensor& query) {
  const Tensor &keys = memory_.keys, &features = memory_.features;
  const std::int64_t rows = query.size(0), width = keys.size(2), channels = features.size(2);
  const Tensor alpha({rows, features.size(1)}, query.dtype(), query.device());
  const Tensor context({rows, channels}, query.dtype(), query.device());
  const Tensor log_sum({rows}, query.dtype(), query.device());
  kernels::AttentionShape shape{groups, features.size(1), width, channels};
  shape.image = lists.image.data();
  shape.first = lists.first.data();
  shape.queries = rows;
  on(query, [&]<class T>(auto device) {
    const kernels::AttentionInputs<T> in{decoder_.config.score,    keys.data<T>(),  features.data<T>(),
                                         decoder_.score.data<T>(), query.data<T>(), width};
    kernels::attention_forward<T>(device, shape, in, alpha.data<T>(), context.data<T>(), log_sum.data<T>());
  });
  return {context, alpha, log_sum};
}

std::pair<Tensor, Tensor> BeamStep::gate(const Tensor& h, const Tensor& context) {
  const Tensor gate({h.size(0), gate_.size()}, h.dtype(), h.device()), gated = empty_like(context);
  gate_.multiply(h, false, gate);
  on(h, [&]<class T>(auto device) {
    kernels::gate_forward<T>(device, {.queries = h.size(0),
                                      .channels = context.size(1),
                                      .width = gate_.size(),
                                      .bias = decoder_.gate.bias.data<T>(),
                                      .gate = gate.data<T>(),
                                      .gate_stride = gate_.size(),
                                      .context = context.data<T>(),
                                      .gated = gated.data<T>()});
  });
  return {gate, gated};
}

DecoderStep BeamStep::operator()(const BeamGroups& groups, const std::vector<std::int32_t>& words,
                                 const DecoderState& given, const std::vector<std::int32_t>& rows) {
  const DecoderConfig& config = decoder_.config;
  const Lists lists = send(groups, words, rows);
  const DecoderState state =
      lists.rows.defined() ? DecoderState{rows_at(given.h, lists.rows), rows_at(given.c, lists.rows)} : given;
  const Tensor gates = word_gates(lists);
  const auto query_of = [&](const Tensor& h) {
    const Tensor query({h.size(0), config.attention_size}, h.dtype(), h.device());
    query_.multiply(h, false, query);
    return query;
  };
  Tensor context, alpha, beta;
  if (config.context_in_lstm()) {
    const Attended seen = attend(groups.groups(), lists, query_of(state.h));
    alpha = seen.alpha;
    if (argmax_) read_locations(memory_.features, lists.image_of, likeliest_locations(alpha), seen.context);
    std::tie(beta, context) = gate(state.h, seen.context);
    gates_of_context_.multiply(context, true, gates);
  }
  if (image_gates_.defined()) add_into(gates, rows_at(image_gates_, lists.image_of));
  gates_of_h_.multiply(state.h, true, gates);
  const DecoderState next{empty_like(state.h), empty_like(state.c)};
  on(gates, [&]<class T>(auto device) {
    kernels::lstm_forward<T>(device, {.batch = groups.rows(),
                                      .hidden = state.h.size(1),
                                      .gates = gates.data<T>(),
                                      .c = state.c.data<T>(),
                                      .activated = gates.data<T>(),
                                      .c_next = next.c.data<T>(),
                                      .h_next = next.h.data<T>()});
  });
  const Tensor embedded =
      config.deep_output() || config.has_sentinel() ? rows_at(decoder_.embedding.weight, lists.words) : Tensor();
  if (config.has_sentinel()) {
    const Tensor x = concat({embedded, rows_at(memory_.image, lists.image_of)}, 1), query = query_of(next.h);
    const Tensor s = sentinel_of(decoder_, decoder_.sentinel.gate_x(x), state.h, next.c);
    const SentinelContext seen = add_sentinel(decoder_, attend(groups.groups(), lists, query), query, s);
    context = seen.context;
    alpha = seen.alpha;
    beta = seen.beta;
  }
  const Tensor input = output_input(decoder_, next.h, embedded, context, {});
  const Tensor logits = broadcast_rows(decoder_.output.bias, groups.rows());
  output_.multiply(input, true, logits);
  return {next, logits, alpha, beta};
}

}  // namespace glimpse
