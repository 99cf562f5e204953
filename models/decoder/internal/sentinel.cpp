#include "glimpse/models/decoder/internal/sentinel.h"

#include <vector>

#include "glimpse/engine/internal/rows_at.h"

namespace glimpse {
namespace {

Tensor activated(const Decoder& decoder, const Tensor& x) {
  return decoder.config.score == Activation::tanh ? tanh(x) : relu(x);
}

/// score . f(x) for each row of x (R,A): (R,1).
Tensor scores_of(const Decoder& decoder, const Tensor& x) {
  return matmul(activated(decoder, x), decoder.score.reshape({decoder.score.size(0), 1}));
}

/// What is seen (R,D) in the width of the sentinel, (R,H).
Tensor widened(const Decoder& decoder, const Tensor& seen) {
  return decoder.sentinel.context.weight.defined() ? decoder.sentinel.context(seen) : seen;
}

}  // namespace

Tensor sentinel_of(const Decoder& decoder, const Tensor& gate_of_x, const Tensor& h_before, const Tensor& c) {
  return sigmoid(gate_of_x + decoder.sentinel.gate_h(h_before)) * tanh(c);
}

SentinelContext attend_with_sentinel(const Decoder& decoder, const DecoderMemory& memory, const Tensor& h,
                                     const Tensor& sentinel) {
  const std::int64_t images = memory.keys.size(0), locations = memory.keys.size(1), width = memory.keys.size(2);
  const std::int64_t rows = h.size(0), each = rows / images;
  const Tensor query = decoder.query(h);
  const Tensor sums = memory.keys.reshape({images, 1, locations, width}) + query.reshape({images, each, 1, width});
  const Tensor cells = scores_of(decoder, sums.reshape({rows * locations, width})).reshape({rows, locations});
  const Tensor own = scores_of(decoder, decoder.sentinel.key(sentinel) + query);
  const Tensor shares = softmax(concat({cells, own}, 1));  // alpha-hat (R,L+1)
  const Tensor alpha = slice(shares, 1, 0, locations), beta = slice(shares, 1, locations, locations + 1);
  const std::int64_t channels = memory.features.size(2);
  const Tensor seen =
      sum(alpha.reshape({images, each, locations, 1}) * memory.features.reshape({images, 1, locations, channels}), 2)
          .reshape({rows, channels});
  return {beta * sentinel + widened(decoder, seen), alpha, beta};
}

SentinelContext add_sentinel(const Decoder& decoder, const Attended& cells, const Tensor& query,
                             const Tensor& sentinel) {
  const Tensor own = scores_of(decoder, decoder.sentinel.key(sentinel) + query);
  const Tensor beta = sigmoid(own - cells.log_sum.reshape({own.size(0), 1})), left = 1.0 - beta;
  return {beta * sentinel + left * widened(decoder, cells.context), left * cells.alpha, beta};
}

SentinelContext sentinel_contexts(const Decoder& decoder, const DecoderMemory& memory, const EmbeddedWords& words,
                                  const Tensor& h0, const Sequence& sequence, const TokenBatch& batch) {
  const Tensor& weight = decoder.sentinel.gate_x.weight;
  const std::int64_t word = decoder.config.embedding;
  const Tensor of_rows = linear(words.rows, slice(weight, 1, 0, word)),
               of_words = words.slot.defined() ? rows_at(of_rows, words.slot) : of_rows,
               of_images = linear(memory.image, slice(weight, 1, word, weight.size(1)));
  const Tensor gate_of_x = of_words + rows_at(of_images, image_of_tokens(batch, h0.device()));
  const Tensor sentinel =
      sentinel_of(decoder, gate_of_x, rows_at(concat({h0, sequence.h}, 0), batch.state_before), sequence.c);
  const Tensor query = decoder.query(sequence.h);
  return add_sentinel(decoder, attend_all(decoder, memory, query, batch), query, sentinel);
}

}  // namespace glimpse
