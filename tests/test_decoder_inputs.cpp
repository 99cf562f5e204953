// What the decoder is given: projected features, dropout on them and on words, weights that words and logits share.

#include "decoder_trial.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/models/decoder/internal/parts.h"

using namespace glimpse;
using namespace glimpse::test;

TEST_CASE("each choice about the decoder's inputs agrees alone", "[gradient]") {
  std::vector<DecoderConfig> configs(4, tutorial_decoder(1, 1));
  configs[0].projection = 3;
  configs[1].projection = 8;
  configs[1].projection_dropout = 0.5;
  configs[1].dropout = 0;
  configs[2].embedding_dropout = 0.5;
  configs[2].dropout = 0;
  configs[3].tied = true;
  for (const DecoderConfig& config : configs) {
    compare({config, {}, {3, 7, 1, 4, 4}}, DType::f64, 1e-10);
    compare({config, {}, {3, 4, 2}, 4, {1, 0, 1}}, DType::f64, 1e-10);
  }
}

TEST_CASE("projected features and tied weights are what their names say") {
  DecoderConfig config = small(tutorial_decoder(1, 1));
  config.projection = 3;
  config.tied = true;
  Decoder decoder = make_decoder(config, DType::f64);
  CHECK(decoder.projection.weight.shape() == Shape{3, 7});
  CHECK(decoder.key.weight.shape() == Shape{6, 3});
  CHECK(decoder.gate.weight.size(0) == 3);
  for (const NamedTensor& t : named_tensors(decoder)) CHECK(t.name != "output.weight");
  const Tensor features = make_features(2, 4, config.channels, DType::f64);
  const DecoderMemory memory = decoder.remember(features);
  CHECK(largest(memory.features - relu(linear(features, decoder.projection.weight, decoder.projection.bias))) < 1e-14);
  CHECK_THROWS_WITH(decoder.start({features, {}, {}}), Contains("(2,4,7) do not fit, (B,L,3) is needed"));

  const DecoderStep step = decoder.step(memory, from_vector(std::vector<std::int32_t>{1, 4}), decoder.start(memory));
  const Tensor logits = linear(step.state.h, decoder.embedding.weight, decoder.output.bias);
  CHECK(largest(step.logits - logits) < 1e-14);
  convert(decoder, DType::f32);
  CHECK(decoder.output_layer().weight.dtype() == DType::f32);
}

TEST_CASE("dropout of features and words is off outside of training, and drawn anew within") {
  for (const bool of_words : {false, true}) {
    DecoderConfig config = small(tutorial_decoder(1, 1));
    config.dropout = 0;
    config.projection = 9;
    (of_words ? config.embedding_dropout : config.projection_dropout) = 0.5;
    const Decoder decoder = make_decoder(config, DType::f64);
    const TokenBatch batch = make_batch({3, 5}, config.vocabulary);
    const Tensor features = make_features(2, 4, config.channels, DType::f64);
    Generator generator(5);
    const double first = decoder.loss(features, batch, generator).total.item();
    CHECK(decoder.loss(features, batch, generator).total.item() != Approx(first).epsilon(1e-6));
    LossOptions options;
    options.train = false;
    const double without = decoder.loss(features, batch, generator, options).total.item();
    CHECK(decoder.loss(features, batch, generator, options).total.item() == without);
    CHECK(without != Approx(first).epsilon(1e-6));
  }
}

TEST_CASE("a word that is read twice loses other elements each time") {
  DecoderConfig config = small(tutorial_decoder(1, 1));
  config.embedding_dropout = 0.5;
  const Decoder decoder = make_decoder(config, DType::f64);
  const TokenBatch batch = make_batch({6}, config.vocabulary);
  Generator generator(5);
  const DropoutMasks masks = draw_masks(decoder, batch, 4, generator, true);
  REQUIRE(masks.words.shape() == Shape{6, config.embedding});
  CHECK(largest(masks.words.rows(0, 1) - masks.words.rows(1, 2)) == 2);
  CHECK(largest(masks.tokens(2, 4).words - masks.words.rows(2, 4)) == 0);
}
