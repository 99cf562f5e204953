#include "glimpse/models/decoder/decoder.h"

#include <cmath>
#include <numeric>

#include "glimpse/engine/internal/rows_at.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/decoder/internal/hard.h"
#include "glimpse/models/decoder/internal/initialisation.h"
#include "glimpse/models/decoder/internal/parts.h"
#include "glimpse/models/decoder/internal/sentinel.h"

namespace glimpse {

void check_config(const DecoderConfig& config) {
  const auto size = [](const char* what, std::int64_t value) {
    check(value >= 1, "decoder: {} is {}, at least 1 is needed", what, value);
  };
  size("vocabulary", config.vocabulary);
  size("channels", config.channels);
  size("embedding", config.embedding);
  size("attention_size", config.attention_size);
  size("hidden", config.hidden);
  check(config.projection >= 0, "decoder: projection {} is negative; 0 is none", config.projection);
  const auto dropout = [](const char* what, double value) {
    check(value >= 0 && value < 1, "decoder: {} {} is outside [0,1)", what, value);
  };
  dropout("dropout", config.dropout);
  dropout("projection_dropout", config.projection_dropout);
  dropout("embedding_dropout", config.embedding_dropout);
  check(!config.tied || config.deep_output() || config.hidden == config.embedding,
        "decoder: tied weights with a linear output need hidden = embedding, not {} and {}", config.hidden,
        config.embedding);
}

Decoder::Decoder(const DecoderConfig& decoder_config, Generator& generator) : config(decoder_config) {
  check_config(config);
  const std::int64_t v = config.vocabulary, d = config.context_size(), e = config.embedding, h = config.hidden;
  const bool attends = config.attends();
  if (config.projection > 0) projection = Linear(config.channels, d, true, generator);
  embedding = Embedding(v, e, generator);
  if (attends) {
    key = Linear(d, config.attention_size, true, generator);
    query = Linear(h, config.attention_size, false, generator);
    score = empty({config.attention_size});
    const double bound = 1 / std::sqrt(static_cast<double>(config.attention_size));
    fill_uniform(score, -bound, bound, generator);
    score.set_requires_grad();
    if (config.context_in_lstm()) gate = Linear(h, config.gate == GateKind::vector ? d : 1, true, generator);
    const bool two_layers = config.initial_state == InitialState::tanh;
    const std::int64_t in = two_layers ? h : d;
    if (two_layers) initial = Linear(d, h, true, generator);
    initial_h = Linear(in, h, true, generator);
    initial_c = Linear(in, h, true, generator);
  }
  if (!config.context_in_lstm()) image = Linear(d, e, true, generator);
  if (config.has_sentinel()) {
    sentinel.gate_x = Linear(2 * e, h, false, generator);
    sentinel.gate_h = Linear(h, h, false, generator);
    sentinel.key = Linear(h, config.attention_size, true, generator);
    if (d != h) sentinel.context = Linear(d, h, false, generator);
  }
  cell = LstmCell(config.context_in_lstm() ? e + d : config.has_sentinel() ? 2 * e : e, h, generator);
  if (config.deep_output()) {
    deep_h = Linear(h, e, true, generator);
    if (attends) deep_context = Linear(config.has_sentinel() ? h : d, e, false, generator);
  }
  output = Linear(config.deep_output() ? e : h, v, true, generator);
  if (config.tied) output.weight = Tensor();
  draw_weights(*this, generator);
}

void Decoder::set_output_bias(const std::vector<std::int64_t>& counts) {
  check(static_cast<std::int64_t>(counts.size()) == config.vocabulary, "decoder: {} word counts for a vocabulary of {}",
        counts.size(), config.vocabulary);
  double total = 0;
  for (const std::int64_t count : counts) {
    check(count >= 0, "decoder: a word count is {}", count);
    total += static_cast<double>(count + 1);
  }
  std::vector<double> bias;
  for (const std::int64_t count : counts) bias.push_back(std::log(static_cast<double>(count + 1) / total));
  output.bias.copy_from(from_vector(bias).to(output.bias.dtype()).to(output.bias.device()));
}

void Decoder::visit(Visitor& v) {
  v("projection", projection);
  v("embedding", embedding);
  v("key", key);
  v("query", query);
  v("score", score);
  v("gate", gate);
  v("cell", cell);
  v("image", image);
  v("sentinel", sentinel);
  v("initial", initial);
  v("initial_h", initial_h);
  v("initial_c", initial_c);
  v("deep_h", deep_h);
  v("deep_context", deep_context);
  v("output", output);
}

DecoderMemory Decoder::remember(const Tensor& features) const {
  check_features("decoder", *this, features);
  return memory_of(*this, features, {});
}

DecoderState Decoder::start(const DecoderMemory& memory) const {
  check_memory("decoder", *this, memory);
  return start_state(*this, mean(memory.features, 1), {});
}

Linear Decoder::output_layer() const {
  Linear layer = output;
  if (config.tied) layer.weight = embedding.weight;
  return layer;
}

DecoderStep Decoder::step(const DecoderMemory& memory, const Tensor& words, const DecoderState& state,
                          HardContext context) const {
  check_memory("decoder step", *this, memory);
  const Tensor embedded = embedding(words);
  check(words.rank() == 1 && state.h.defined() && state.h.size(0) == words.size(0),
        "decoder step: {} words for states {}", words.numel(), state.h.defined() ? state.h.shape().str() : "()");
  const bool argmax = config.is_hard() && context == HardContext::argmax;
  const StepParts parts =
      recurrent_step(*this, memory, embedded, state, argmax ? likeliest_locations : ChooseLocations());
  const Tensor logits = output_layer()(output_input(*this, parts.state.h, embedded, parts.context, {}));
  return {parts.state, logits, parts.alpha, parts.beta};
}

namespace {

void check_grid(const char* what, const Decoder& decoder, const Tensor& features, std::int64_t batch,
                std::int64_t width) {
  const Tensor& weight = decoder.embedding.weight;
  check(weight.defined(), "{}: the decoder has no weights", what);
  check(features.defined() && features.rank() == 3 && features.size(2) == width && features.size(1) > 0 &&
            (batch < 0 || features.size(0) == batch),
        "{}: features {} do not fit, ({},L,{}) is needed", what,
        features.defined() ? features.shape().str() : "undefined", batch < 0 ? "B" : std::to_string(batch), width);
  check(features.dtype() == weight.dtype() && features.device() == weight.device(),
        "{}: features are {} on {}, the decoder is {} on {}", what, name_of(features.dtype()),
        name_of(features.device()), name_of(weight.dtype()), name_of(weight.device()));
}

}  // namespace

void check_features(const char* what, const Decoder& decoder, const Tensor& features, std::int64_t batch) {
  check_grid(what, decoder, features, batch, decoder.config.channels);
}

void check_memory(const char* what, const Decoder& decoder, const DecoderMemory& memory) {
  check_grid(what, decoder, memory.features, -1, decoder.config.context_size());
}

DropoutMasks DropoutMasks::tokens(std::int64_t begin, std::int64_t end) const {
  const auto part = [&](const Tensor& mask) { return mask.defined() ? mask.rows(begin, end) : Tensor(); };
  return {.h = part(h), .deep = part(deep), .words = part(words)};
}

DropoutMasks draw_masks(const Decoder& decoder, const TokenBatch& batch, std::int64_t locations, Generator& generator,
                        bool train) {
  const DecoderConfig& config = decoder.config;
  if (!train) return {};
  const auto draw = [&](const Shape& shape, double p) {
    const Tensor& like = decoder.embedding.weight;
    return p > 0 ? dropout(full(shape, 1, like.dtype(), like.device()), p, generator) : Tensor();
  };
  const bool two_layers = config.attends() && config.initial_state == InitialState::tanh;
  DropoutMasks masks;
  if (two_layers) masks.initial = draw({batch.rows(), config.hidden}, config.dropout);
  masks.h = draw({batch.tokens(), config.hidden}, config.dropout);
  if (config.deep_output()) masks.deep = draw({batch.tokens(), config.embedding}, config.dropout);
  if (config.projection > 0)
    masks.features = draw({batch.images(), locations, config.projection}, config.projection_dropout);
  masks.words = draw({batch.tokens(), config.embedding}, config.embedding_dropout);
  return masks;
}

Tensor masked(const Tensor& x, const Tensor& mask) { return mask.defined() ? x * mask : x; }

DecoderMemory memory_of(const Decoder& decoder, const Tensor& features, const DropoutMasks& masks) {
  const DecoderConfig& config = decoder.config;
  const Tensor seen = config.projection > 0 ? masked(relu(decoder.projection(features)), masks.features) : features;
  return {seen, config.attends() ? decoder.key(seen) : Tensor(),
          config.has_sentinel() ? relu(decoder.image(mean(seen, 1))) : Tensor()};
}

DecoderState start_state(const Decoder& decoder, const Tensor& average, const DropoutMasks& masks) {
  if (!decoder.config.attends()) {
    const Tensor nothing = zeros({average.size(0), decoder.config.hidden}, average.dtype(), average.device());
    const auto [h, c] = decoder.cell(decoder.image(average), nothing, nothing);
    return {h, c};
  }
  if (decoder.config.initial_state == InitialState::linear)
    return {decoder.initial_h(average), decoder.initial_c(average)};
  const Tensor hidden = masked(relu(decoder.initial(average)), masks.initial);
  return {tanh(decoder.initial_h(hidden)), tanh(decoder.initial_c(hidden))};
}

Tensor output_input(const Decoder& decoder, const Tensor& h, const Tensor& embedded, const Tensor& context,
                    const DropoutMasks& masks) {
  const DecoderConfig& config = decoder.config;
  if (!config.deep_output()) return masked(config.has_sentinel() ? h + context : h, masks.h);
  const Tensor kept = masked(h, masks.h);
  const Tensor words = decoder.deep_h(kept) + embedded;
  return masked(tanh(context.defined() ? words + decoder.deep_context(context) : words), masks.deep);
}

namespace {

/// x (B,...) once for each of the rows R = B q, images in order.
Tensor rows_of_images(const Tensor& x, std::int64_t rows) {
  if (rows == x.size(0)) return x;
  std::vector<std::int32_t> index;
  for (std::int64_t row = 0; row < rows; ++row) index.push_back(static_cast<std::int32_t>(row / (rows / x.size(0))));
  return rows_at(x, from_vector(index).to(x.device()));
}

}  // namespace

StepParts recurrent_step(const Decoder& decoder, const DecoderMemory& memory, const Tensor& embedded,
                         const DecoderState& state, const ChooseLocations& choose) {
  StepParts parts;
  Tensor input = embedded;
  const DecoderConfig& config = decoder.config;
  if (config.context_in_lstm()) {
    const AttentionResult seen =
        additive_attention(memory.keys, decoder.query(state.h), decoder.score, memory.features, config.score);
    parts.alpha = seen.alpha;
    parts.beta = sigmoid(decoder.gate(state.h));
    if (choose) parts.location = choose(seen.alpha.detach());
    parts.context = parts.beta * (choose ? context_at(memory.features, seen.alpha, parts.location) : seen.context);
    input = concat({embedded, parts.context}, 1);
  }
  if (config.has_sentinel()) input = concat({embedded, rows_of_images(memory.image, embedded.size(0))}, 1);
  const auto [h, c] = decoder.cell(input, state.h, state.c);
  parts.state = {h, c};
  if (!config.has_sentinel()) return parts;
  const Tensor s = sentinel_of(decoder, decoder.sentinel.gate_x(input), state.h, c);
  const SentinelContext seen = attend_with_sentinel(decoder, memory, h, s);
  parts.context = seen.context;
  parts.alpha = seen.alpha;
  parts.beta = seen.beta;
  return parts;
}

}  // namespace glimpse
