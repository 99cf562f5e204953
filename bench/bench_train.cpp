// Captions per second of whole training steps of the decoder: teacher-forced loss, gradients, clipping by value, Adam.
// Flags and output are those of the yardstick's bench-train; the model is the tutorial's, features are given.

#include <algorithm>
#include <cmath>

#include "common/bench.h"
#include "glimpse/engine/optimizer.h"
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

nlohmann::ordered_json measure(const CommonFlags& flags, const std::string& style, std::int64_t captions_per_image) {
  flags.apply();
  Generator generator(flags.seed);
  DecoderConfig config = tutorial_decoder(flags.vocab, flags.channels);
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
    adam.step();
  };
  const auto count = static_cast<int>(batches.size());
  for (int i = 0; i < std::max(flags.warmup, count); ++i) step(batches[static_cast<std::size_t>(i % count)]);
  const double seconds = median_seconds(flags.rounds, flags.where(), [&] {
    for (const Batch& batch : batches) step(batch);
  });
  const double ms = seconds / count * 1e3;
  std::int64_t tokens = 0;
  for (const Batch& batch : batches) tokens += batch.tokens.tokens();
  return {{"what", "train"},
          {"style", style},
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
  std::int64_t captions_per_image = 1;
  app.add_option("--captions-per-image", captions_per_image, "Captions of a batch that share an image's features")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  return run_benchmark(app, argc, argv, [&] { return measure(flags, style, captions_per_image); });
}
