// Hard attention: locations follow alpha, and the gradient that REINFORCE estimates is that of the expected loss, shown
// by adding up every sequence of locations that a toy model can draw.

#include <algorithm>
#include <functional>
#include <numeric>

#include "decoder_trial.h"
#include "error_of.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/models/decoder/internal/hard.h"
#include "glimpse/models/decoder/internal/parts.h"
#include "glimpse/models/decoder/internal/sequence.h"
#include "glimpse/models/search/beam.h"

using namespace glimpse;
using namespace glimpse::test;

namespace {

constexpr std::int64_t locations = 3, steps = 3;

/// One caption of three words for an image of three locations: 27 sequences of locations.
struct Toy {
  DecoderConfig config;
  Decoder decoder;
  TokenBatch batch = make_token_batch({{1, 4, 3, 2}});
  Tensor features;

  Toy() : config(paper_decoder(5, 4)) {
    config.attention = AttentionKind::hard;
    config.embedding = 3;
    config.attention_size = 4;
    config.hidden = 3;
    decoder = make_decoder(config, DType::f64);
    for (const NamedTensor& p : parameters(decoder)) add_scaled_into(p.tensor, p.tensor.detach().clone(), 0.5);
    features = make_features(1, locations, 4, DType::f64);
  }
};

using Locations = std::vector<std::int32_t>;

std::vector<Locations> all_sequences() {
  std::vector<Locations> result{{}};
  for (std::int64_t t = 0; t < steps; ++t) {
    std::vector<Locations> longer;
    for (const Locations& beginning : result)
      for (std::int32_t l = 0; l < locations; ++l) {
        longer.push_back(beginning);
        longer.back().push_back(l);
      }
    result = std::move(longer);
  }
  return result;
}

struct Forced {
  LocationDraws draws;
  double probability = 1;  // of these locations
};

/// Numbers by which exactly `wanted` is drawn: each step's depend on what was drawn before.
Forced force(const Toy& toy, const Locations& wanted) {
  const NoGrad no_grad;
  Forced forced;
  forced.draws = {full({steps}, 0.5, DType::f64), {true}};
  const DecoderMemory memory = toy.decoder.remember(toy.features);
  const DecoderState start = toy.decoder.start(memory);
  const EmbeddedWords words{toy.decoder.embedding(toy.batch.distinct), toy.batch.slot};
  for (std::int64_t t = 0; t < steps; ++t) {
    const Sequence sequence = run_sequence(toy.decoder, memory, words, start, toy.batch, forced.draws.uniform);
    const double* alpha = sequence.alpha.data<double>() + t * locations;
    const std::int32_t l = wanted[t];
    forced.draws.uniform.data<double>()[t] = std::accumulate(alpha, alpha + l, 0.0) + alpha[l] / 2;
    forced.probability *= alpha[l];
  }
  return forced;
}

LossOptions options_with(double baseline) {
  LossOptions options;
  options.reduction = Reduction::paper;
  options.doubly_stochastic = 0;
  options.entropy = 0;
  options.baseline = baseline;
  return options;
}

/// -log p of the caption, expected over the locations.
double expected_loss(const Toy& toy) {
  const NoGrad no_grad;
  double sum = 0;
  for (const Locations& sequence : all_sequences()) {
    const Forced forced = force(toy, sequence);
    const DecoderLoss loss = sequence_loss(toy.decoder, toy.features, toy.batch, {}, forced.draws, options_with(0));
    sum -= forced.probability * loss.sampled_log_probability;
  }
  return sum;
}

struct Estimate {
  std::vector<Tensor> mean;  // by parameter
  double variance = 0;       // of all elements together
};

Estimate enumerate(Toy& toy, double baseline) {
  std::vector<std::pair<double, std::vector<Tensor>>> gradients;
  Estimate result;
  for (const NamedTensor& p : parameters(toy.decoder)) result.mean.push_back(zeros_like(p.tensor.detach()));
  for (const Locations& sequence : all_sequences()) {
    const Forced forced = force(toy, sequence);
    sequence_loss(toy.decoder, toy.features, toy.batch, {}, forced.draws, options_with(baseline)).total.backward();
    gradients.push_back({forced.probability, {}});
    std::size_t i = 0;
    for (NamedTensor& p : parameters(toy.decoder)) {
      gradients.back().second.push_back(p.tensor.grad().clone());
      add_scaled_into(result.mean[i++], p.tensor.grad(), forced.probability);
      p.tensor.clear_grad();
    }
  }
  for (const auto& [probability, of_sequence] : gradients)
    for (std::size_t i = 0; i < of_sequence.size(); ++i)
      result.variance += probability * sum(square(of_sequence[i] - result.mean[i])).item();
  return result;
}

}  // namespace

TEST_CASE("the estimated gradient is that of the expected loss, whatever the baseline, which lowers its variance") {
  Toy toy;
  double total = 0;
  for (const Locations& sequence : all_sequences()) total += force(toy, sequence).probability;
  REQUIRE(total == Approx(1).epsilon(1e-12));

  const double baseline = -expected_loss(toy);
  const Estimate without = enumerate(toy, 0), with = enumerate(toy, baseline);
  Generator directions(13);
  std::size_t i = 0;
  for (const NamedTensor& p : parameters(toy.decoder)) {
    const Tensor direction = empty_like(p.tensor.detach());
    fill_normal(direction, 0, 1, directions);
    const NoGrad no_grad;
    const double step = 1e-5;
    add_scaled_into(p.tensor, direction, step);
    const double above = expected_loss(toy);
    add_scaled_into(p.tensor, direction, -2 * step);
    const double below = expected_loss(toy);
    add_scaled_into(p.tensor, direction, step);
    INFO(p.name);
    const double slope = (above - below) / (2 * step);
    CHECK(sum(without.mean[i] * direction).item() == Approx(slope).epsilon(1e-6).margin(1e-8));
    CHECK(sum(with.mean[i] * direction).item() == Approx(slope).epsilon(1e-6).margin(1e-8));
    ++i;
  }
  CHECK(with.variance < 0.5 * without.variance);
  WARN("variance of the gradient of hard attention: " << without.variance << ", with a baseline " << with.variance);
}

TEST_CASE("a draw that is left out changes the gradient") {
  Toy toy;
  const double baseline = -expected_loss(toy);
  Estimate with = enumerate(toy, baseline);
  LossOptions options = options_with(baseline);
  options.reinforce = 0;  // the path through alpha is gone then, and score learns nothing
  sequence_loss(toy.decoder, toy.features, toy.batch, {}, force(toy, {0, 1, 2}).draws, options).total.backward();
  CHECK(largest(toy.decoder.score.grad()) == 0);
  for (std::size_t i = 0; NamedTensor & p : parameters(toy.decoder)) {
    if (p.name == "score") CHECK(largest(with.mean[i]) > 1e-4);
    ++i;
  }
}

TEST_CASE("locations are drawn as often as alpha says") {
  constexpr std::int64_t draws = 20000;
  const std::vector<double> alpha{0.05, 0, 0.4, 0.25, 0.3};
  const Tensor rows = empty({draws, 5}, DType::f64), uniform = empty({draws}, DType::f64);
  for (std::int64_t i = 0; i < draws; ++i) std::copy(alpha.begin(), alpha.end(), rows.data<double>() + 5 * i);
  Generator generator(3);
  fill_uniform(uniform, 0, 1, generator);
  std::vector<double> count(5);
  for (const std::int32_t l : sampled_locations(rows, uniform).to_vector<std::int32_t>()) ++count[l];
  for (std::size_t l = 0; l < 5; ++l) {
    const double expected = draws * alpha[l], deviation = std::sqrt(expected * (1 - alpha[l]));
    CHECK(std::abs(count[l] - expected) <= 4 * deviation);
  }
}

TEST_CASE("half of the captions read the mean of all locations, and none outside of training") {
  DecoderConfig config = small(paper_decoder(1, 1));
  config.attention = AttentionKind::hard;
  const Decoder decoder = make_decoder(config, DType::f64);
  const TokenBatch batch = make_batch(std::vector<int>(400, 2), config.vocabulary);
  Generator generator(5);
  const LocationDraws draws = draw_locations(decoder, batch, generator, {});
  CHECK(std::count(draws.sampled.begin(), draws.sampled.end(), true) == Approx(200).margin(40));
  const double* uniform = draws.uniform.data<double>();
  for (std::int64_t t = 0; t < batch.steps(); ++t)
    for (std::int64_t row = 0; row < 400; ++row) CHECK((uniform[batch.offset[t] + row] >= 0) == draws.sampled[row]);
  LossOptions options;
  options.train = false;
  CHECK_FALSE(draw_locations(decoder, batch, generator, options).uniform.defined());

  // Without drawn locations hard attention is soft attention.
  DecoderConfig soft = config;
  soft.attention = AttentionKind::soft;
  const Decoder mean = make_decoder(soft, DType::f64);
  const Tensor features = make_features(400, 4, config.channels, DType::f64);
  CHECK(decoder.loss(features, batch, generator, options).total.item() ==
        mean.loss(features, batch, generator, options).total.item());
}

TEST_CASE("at test a hard decoder reads the mean, or the likeliest location") {
  Toy toy;
  const DecoderMemory memory = toy.decoder.remember(toy.features);
  for (const HardContext context : {HardContext::expected, HardContext::argmax}) {
    INFO(name_of(context));
    const auto found = beam_search(toy.decoder, toy.features, {.beam = 1, .max_length = 4, .hard_context = context});
    const Caption& caption = found[0][0];
    DecoderState state = toy.decoder.start(memory);
    std::int32_t read = start_word;
    double total = 0;
    std::vector<std::int32_t> words = caption.words;
    if (caption.finished) words.push_back(end_word);
    for (const std::int32_t word : words) {
      const DecoderStep step = toy.decoder.step(memory, from_vector(std::vector<std::int32_t>{read}), state, context);
      total += log_softmax(step.logits).to_vector<double>()[word];
      state = step.state;
      read = word;
    }
    CHECK(caption.log_probability == Approx(total).epsilon(1e-12));
  }
  // The likeliest location read is a row of the features.
  const Tensor alpha = from_vector(std::vector<double>{0.2, 0.5, 0.3}).reshape({1, 3});
  const Tensor read = context_at(toy.features, alpha, likeliest_locations(alpha));
  CHECK(read.to_vector<double>() == toy.features.reshape({3, 4}).rows(1, 2).to_vector<double>());
}

TEST_CASE("hard attention refuses what makes no sense") {
  Toy toy;
  Generator generator(1);
  LossOptions options;
  options.sampling = 1.5;
  CHECK(error_of([&] { toy.decoder.loss(toy.features, toy.batch, generator, options); }) ==
        "decoder loss: sampling 1.5 is outside [0,1]");
  options = {};
  options.entropy = -1;
  CHECK_THROWS_WITH(toy.decoder.loss(toy.features, toy.batch, generator, options), Contains("entropy -1 is negative"));
}
