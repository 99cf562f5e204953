// Captions per second of whole training steps of the decoder: teacher-forced loss, gradients, clipping by value, Adam.
// Flags and output are those of the yardstick's bench-train; the model is the tutorial's, features are given.

#include <algorithm>
#include <cmath>

#include "common/bench.h"
#include "common/floor.h"
#include "glimpse/engine/optimizer.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/decoder/decoder.h"

namespace glimpse::bench {
namespace {

struct Batch {
  Tensor features;  // (B,L,D)
  TokenBatch tokens;
};

/// Words to predict, <end> included, distributed like Flickr8k's captions: mean 11.8, from 3 to 37.
std::int64_t random_length(Generator& generator) {
  return std::clamp<std::int64_t>(std::llround(generator.normal() * 3.9 + 11.8), 3, 37);
}

Batch random_batch(const CommonFlags& flags, std::int64_t captions_per_image, Generator& generator) {
  std::vector<std::vector<std::int32_t>> captions;
  std::vector<std::int64_t> images;
  for (std::int64_t i = 0; i < flags.batch; ++i) {
    captions.emplace_back();
    images.push_back(i / captions_per_image);
    for (std::int64_t left = random_length(generator); left >= 0; --left)
      captions.back().push_back(
          static_cast<std::int32_t>(4 + generator.below(static_cast<std::uint64_t>(flags.vocab - 4))));
  }
  const TokenBatch tokens = captions_per_image > 1 ? make_token_batch(captions, images) : make_token_batch(captions);
  return {normal_tensor({tokens.images(), flags.locations, flags.channels}, generator).to(flags.where()),
          tokens.to(flags.where())};
}

/// What a step must at least do: see Decoder::loss for the products.
double floor_seconds(const CommonFlags& flags, const std::vector<Batch>& batches, double weights) {
  Floor floor;
  const std::int64_t d = flags.channels, h = flags.dim, v = flags.vocab, l = flags.locations, a = h, e = h;
  for (const Batch& batch : batches) {
    const TokenBatch& tokens = batch.tokens;
    const std::int64_t n = tokens.tokens(), rows = tokens.rows(), images = tokens.images(),
                       distinct = tokens.distinct.numel();
    floor.product(images * l, a, d);  // keys
    floor.product(a, d, images * l);  // and the gradient of their weights: the features need none
    floor.product(rows, h, d, 2);     // h0 and c0
    floor.product(h, d, rows, 2);
    floor.product(distinct, 4 * h, e);  // gates of the words
    floor.product(distinct, e, 4 * h);
    floor.product(4 * h, e, distinct);
    for (const std::int64_t m : tokens.active) {
      floor.product(m, a + d, h);  // query and gate
      floor.product(m, h, a + d);
      floor.product(m, 4 * h, d);  // gates of the context
      floor.product(m, d, 4 * h);
      floor.product(m, 4 * h, h);  // gates of h
      floor.product(m, h, 4 * h);
      // Attention reads keys and features of each image that has words left, forward and backward.
      const std::int64_t looked_at = std::min(images, m);
      floor.elements(2.0 * static_cast<double>(looked_at * l * (a + d)));
    }
    floor.product(a + d, h, n);  // gradients of the recurrence's weights, over all words at once
    floor.product(4 * h, d, n);
    floor.product(4 * h, h, n);
    floor.product(n, v, h);  // logits
    floor.product(n, h, v);
    floor.product(v, h, n);
    floor.elements(2.0 * static_cast<double>(images * l * a));  // keys read, their gradients written
    floor.elements(3.0 * static_cast<double>(n * v));           // cross-entropy: read, read and written
    floor.elements(4.0 * static_cast<double>(n * (4 * h + a + 2 * d + 2 * h)));  // what steps leave, both ways
    floor.elements(7.0 * weights);                                               // Adam
  }
  return floor.seconds() / static_cast<double>(batches.size());
}

nlohmann::ordered_json measure(const CommonFlags& flags, const std::string& style, const std::string& attention,
                               std::int64_t captions_per_image, bool with_floor) {
  flags.apply();
  check(!with_floor || flags.where() == Device::cpu, "--floor: measured on the CPU alone");
  Generator generator(flags.seed);
  DecoderConfig config = tutorial_decoder(flags.vocab, flags.channels);
  config.attention = *choice_named<AttentionKind>(attention);
  check(!with_floor || config.attention == AttentionKind::soft, "--floor: known for soft attention alone");
  config.embedding = config.attention_size = config.hidden = flags.dim;
  Decoder decoder(config, generator);
  move_to(decoder, flags.where());
  Adam adam(parameters(decoder), {.learning_rate = 4e-4, .clip_value = 5});
  std::vector<Batch> batches;
  for (int i = 0; i < flags.rotate; ++i) batches.push_back(random_batch(flags, captions_per_image, generator));

  const auto step = [&](const Batch& batch) {
    const DecoderLoss loss = style == "hoisted" ? decoder.loss(batch.features, batch.tokens, generator)
                                                : decoder.loss_stepwise(batch.features, batch.tokens, generator);
    loss.total.backward();
    adam.step_ahead();
  };
  const auto count = static_cast<int>(batches.size());
  for (int i = 0; i < std::max(flags.warmup, count); ++i) step(batches[i % count]);
  const double seconds = median_seconds(flags.rounds, flags.where(), [&] {
    for (const Batch& batch : batches) step(batch);
  });
  const double ms = seconds / count * 1e3;
  std::int64_t tokens = 0;
  for (const Batch& batch : batches) tokens += batch.tokens.tokens();
  nlohmann::ordered_json result = {{"what", "train"},
                                   {"style", style},
                                   {"attention", attention},
                                   {"compile", false},
                                   {"dtype", flags.dtype},
                                   {"batch", flags.batch},
                                   {"captions_per_image", captions_per_image},
                                   {"locations", flags.locations},
                                   {"channels", flags.channels},
                                   {"vocab", flags.vocab},
                                   {"ms_per_step", std::round(ms * 1e3) / 1e3},
                                   {"captions_per_s", std::round(static_cast<double>(flags.batch) / ms * 1e4) / 10},
                                   {"tokens", tokens / count},
                                   {"device", flags.device_name()}};
  if (with_floor) {
    double weights = 0;
    for (const NamedTensor& p : parameters(decoder)) weights += static_cast<double>(p.tensor.numel());
    add_floor(result, floor_seconds(flags, batches, weights), ms / 1e3);
  }
  return result;
}

}  // namespace
}  // namespace glimpse::bench

int main(int argc, char** argv) {
  using namespace glimpse::bench;
  CLI::App app("Speed of decoder training; prints one JSON line");
  CommonFlags flags;
  flags.add_to(app);
  std::string style = "hoisted";
  app.add_option("--style", style,
                 "hoisted: the sequence op; tutorial: word by word from plain ops, keys projected once")
      ->check(CLI::IsMember({"hoisted", "tutorial"}))
      ->capture_default_str();
  std::string attention = "soft";
  app.add_option("--attention", attention, "Kind of the decoder")
      ->check(CLI::IsMember(glimpse::choice_names<glimpse::AttentionKind>()))
      ->capture_default_str();
  std::int64_t captions_per_image = 1;
  app.add_option("--captions-per-image", captions_per_image, "Captions of a batch that share an image's features")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  bool with_floor = false;
  app.add_flag(
      "--floor", with_floor,
      "Also measure the least time of a step: its products, each alone, and the bytes of all else at the rate of "
      "a copy (CPU)");
  return run_benchmark(app, argc, argv,
                       [&] { return measure(flags, style, attention, captions_per_image, with_floor); });
}
