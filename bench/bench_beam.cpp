// Images per second of beam search, all images at once and one by one. Flags, output, stopping rule and the greatest
// length (20) are those of the yardstick's bench-beam; the model is the tutorial's with random weights.

#include <cmath>

#include "common/bench.h"
#include "common/floor.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/search/beam.h"

namespace glimpse::bench {
namespace {

constexpr int max_length = 20;

/// The least time of a search in which no caption ends: the products of each step, what attention reads, and the
/// logits.
double floor_seconds(const CommonFlags& flags, std::int64_t beam, std::int64_t images) {
  Floor floor;
  const std::int64_t d = flags.channels, h = flags.dim, v = flags.vocab, l = flags.locations, a = h;
  floor.product(images * l, a, d);  // keys
  floor.product(images, h, d, 2);   // h0 and c0
  for (int step = 0; step < max_length; ++step) {
    const std::int64_t rows = step == 0 ? images : images * beam;
    floor.product(rows, a, h);      // query
    floor.product(rows, d, h);      // gate
    floor.product(rows, 4 * h, d);  // gates of the context
    floor.product(rows, 4 * h, h);  // gates of h
    floor.product(rows, v, h);      // logits
    floor.elements(static_cast<double>(images * l * (a + d)));
    floor.elements(static_cast<double>(rows) * static_cast<double>(2 * v + 2 * (8 * h + a + 2 * d)));
  }
  return floor.seconds();
}

nlohmann::ordered_json measure(const CommonFlags& flags, int beam, std::int64_t images, float end_bias,
                               bool with_floor) {
  flags.apply();
  check(!with_floor || flags.where() == Device::cpu, "--floor: measured on the CPU alone");
  check(!with_floor || end_bias <= -100, "--floor: known where no caption ends: --end-bias -100");
  Generator generator(flags.seed);
  DecoderConfig config = tutorial_decoder(flags.vocab, flags.channels);
  config.embedding = config.attention_size = config.hidden = flags.dim;
  Decoder decoder(config, generator);
  decoder.output.bias.data<float>()[end_word] = end_bias;
  move_to(decoder, flags.where());
  const Tensor features = normal_tensor({images, flags.locations, flags.channels}, generator).to(flags.where());
  BeamOptions options;
  options.beam = beam;
  options.max_length = max_length;

  const auto images_per_second = [&](const std::function<void()>& run) {
    run();
    return std::round(static_cast<double>(images) / median_seconds(flags.rounds, flags.where(), run) * 10) / 10;
  };
  const double batched = images_per_second([&] { beam_search(decoder, features, options); });
  const double one_by_one = images_per_second([&] {
    for (std::int64_t i = 0; i < images; ++i) beam_search(decoder, features.rows(i, i + 1), options);
  });
  nlohmann::ordered_json result = {{"what", "beam"},
                                   {"beam", beam},
                                   {"images", images},
                                   {"dtype", flags.dtype},
                                   {"locations", flags.locations},
                                   {"channels", flags.channels},
                                   {"vocab", flags.vocab},
                                   {"batched_images_per_s", batched},
                                   {"one_by_one_images_per_s", one_by_one},
                                   {"device", flags.device_name()}};
  if (with_floor) add_floor(result, floor_seconds(flags, beam, images), static_cast<double>(images) / batched);
  return result;
}

}  // namespace
}  // namespace glimpse::bench

int main(int argc, char** argv) {
  using namespace glimpse::bench;
  CLI::App app("Speed of beam search; prints one JSON line");
  CommonFlags flags;
  flags.add_to(app);
  int beam = 5;
  std::int64_t images = 32;
  float end_bias = 3;
  app.add_option("--beam", beam, "Hypotheses an image")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--images", images, "Images")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--end-bias", end_bias,
                 "Bias of the end's logit: 3 lets random weights end after a word or two, -100 never")
      ->capture_default_str();
  bool with_floor = false;
  app.add_flag("--floor", with_floor, "The least time of the batched search, too, on the CPU and with --end-bias -100");
  return run_benchmark(app, argc, argv, [&] { return measure(flags, beam, images, end_bias, with_floor); });
}
