#pragma once
// Small decoders and batches, and the demand that the sequence op equals the decoder word by word.

#include <cmath>
#include <string>
#include <vector>

#include "catch.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/engine/words.h"
#include "glimpse/models/decoder/decoder.h"

namespace glimpse::test {

inline DecoderConfig small(DecoderConfig config) {
  config.vocabulary = 23;
  config.channels = 7;
  config.embedding = 5;
  config.attention_size = 6;
  config.hidden = 5;
  return config;
}

/// A decoder with weights large enough that every nonlinearity is used.
inline Decoder make_decoder(const DecoderConfig& config, DType dtype) {
  Generator generator(7);
  Decoder decoder(config, generator);
  for (const NamedTensor& p : named_tensors(decoder)) fill_normal(p.tensor, 0, 0.5, generator);
  convert(decoder, dtype);
  return decoder;
}

inline TokenBatch make_batch(const std::vector<int>& words, std::int64_t vocabulary,
                             const std::vector<std::int64_t>& images = {}) {
  Generator generator(3);
  std::vector<std::vector<std::int32_t>> captions;
  for (const int count : words) {
    captions.push_back({start_word});
    for (int i = 1; i < count; ++i)
      captions.back().push_back(static_cast<std::int32_t>(generator.below(static_cast<std::uint64_t>(vocabulary))));
    captions.back().push_back(end_word);
  }
  return make_token_batch(captions, images);
}

inline Tensor make_features(std::int64_t rows, std::int64_t locations, std::int64_t channels, DType dtype) {
  Generator generator(11);
  const Tensor features = empty({rows, locations, channels}, dtype);
  fill_normal(features, 0, 1, generator);
  return features;
}

inline double largest(const Tensor& x) {
  double result = 0;
  for (const double v : x.to_vector<double>()) result = std::max(result, std::abs(v));
  return result;
}

/// Largest difference, relative to the largest element of the truth.
inline double difference(const Tensor& x, const Tensor& truth) {
  REQUIRE(x.shape() == truth.shape());
  return largest(x.to(DType::f64) - truth.to(DType::f64)) / std::max(largest(truth), 1e-12);
}

struct Trial {
  DecoderConfig config;
  LossOptions options;
  std::vector<int> words;
  std::int64_t locations = 4;
  std::vector<std::int64_t> images = {};  // of each caption
};

inline void compare(const Trial& trial, DType dtype, double tolerance) {
  const DecoderConfig config = small(trial.config);
  const TokenBatch batch = make_batch(trial.words, config.vocabulary, trial.images);
  std::vector<Tensor> gradients[2];
  DecoderLoss losses[2];
  for (int fused = 0; fused < 2; ++fused) {
    Decoder decoder = make_decoder(config, dtype);
    Tensor features = make_features(batch.images(), trial.locations, config.channels, dtype);
    features.set_requires_grad();
    Generator generator(5);
    losses[fused] = fused ? decoder.loss(features, batch, generator, trial.options)
                          : decoder.loss_stepwise(features, batch, generator, trial.options);
    losses[fused].total.backward();
    for (const NamedTensor& p : parameters(decoder)) {
      INFO(p.name);
      REQUIRE(p.tensor.grad().defined());
      gradients[fused].push_back(p.tensor.grad());
    }
    gradients[fused].push_back(features.grad());
  }
  CHECK(losses[1].total.item() == Approx(losses[0].total.item()).epsilon(tolerance));
  CHECK(losses[1].cross_entropy == Approx(losses[0].cross_entropy).epsilon(tolerance));
  CHECK(losses[1].attention_penalty == Approx(losses[0].attention_penalty).epsilon(tolerance).margin(1e-12));
  CHECK(losses[1].tokens == losses[0].tokens);
  CHECK(losses[1].hits.top1 == losses[0].hits.top1);
  CHECK(losses[1].hits.top5 == losses[0].hits.top5);
  CHECK(losses[1].sampled_captions == losses[0].sampled_captions);
  CHECK(losses[1].sampled_log_probability == Approx(losses[0].sampled_log_probability).epsilon(tolerance));
  Decoder decoder = make_decoder(config, dtype);
  const auto names = named_tensors(decoder);
  REQUIRE(gradients[0].size() == names.size() + 1);
  for (std::size_t i = 0; i < gradients[0].size(); ++i) {
    INFO((i < names.size() ? names[i].name : "features"));
    CHECK(largest(gradients[0][i]) > 0);
    CHECK(difference(gradients[1][i], gradients[0][i]) < tolerance);
  }
}

/// Every choice about what the decoder is given: projected features, dropout on them and on words, tied weights.
inline DecoderConfig with_input_options(DecoderConfig config) {
  config.projection = 9;
  config.projection_dropout = 0.3;
  config.embedding_dropout = 0.4;
  config.tied = true;
  return config;
}

inline std::vector<DecoderConfig> all_kinds() {
  std::vector<DecoderConfig> kinds;
  for (const AttentionKind attention :
       {AttentionKind::soft, AttentionKind::hard, AttentionKind::sentinel, AttentionKind::none})
    for (DecoderConfig config : {tutorial_decoder(1, 1), paper_decoder(1, 1)}) {
      config.attention = attention;
      kinds.push_back(config);
      kinds.push_back(with_input_options(config));
    }
  DecoderConfig adaptive = tutorial_decoder(1, 1);  // as published: features of the sentinel's width
  adaptive.attention = AttentionKind::sentinel;
  adaptive.projection = small(adaptive).hidden;
  kinds.push_back(adaptive);
  return kinds;
}

inline LossOptions paper_loss() {
  LossOptions options;
  options.reduction = Reduction::paper;
  options.doubly_stochastic = 0.7;
  options.label_smoothing = 0.1;
  options.count_hits = true;
  return options;
}

}  // namespace glimpse::test
