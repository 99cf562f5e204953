// Images a second of an encoder with random weights, by the inference plan and by the differentiable pass; the flags
// and the fields of the yardstick's bench-encoder.
#include "common/bench.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/models/encoder/frozen_encoder.h"

namespace glimpse::bench {
namespace {

nlohmann::ordered_json run(const CommonFlags& flags, const EncoderOptions& options, bool with_forward) {
  flags.apply();
  Generator generator(flags.seed);
  Encoder encoder = make_encoder(options, generator);
  move_to(encoder, flags.where());
  const FrozenEncoder frozen(encoder);
  const Tensor images = normal_tensor({flags.batch, 3, options.size, options.size}, generator).to(flags.where());
  const NoGrad no_grad;
  const auto speed = [&](auto&& encode) {
    encode(images);
    return static_cast<double>(flags.batch) / median_seconds(flags.rounds, flags.where(), [&] { encode(images); });
  };
  nlohmann::ordered_json by_format;
  by_format["plan"] = speed(frozen);
  if (with_forward) by_format["forward"] = speed([&](const Tensor& x) { return encoder.forward(x); });
  return {{"what", "encoder"},
          {"encoder", options.name},
          {"batch", flags.batch},
          {"dtype", flags.dtype},
          {"images_per_s", by_format["plan"]},
          {"by_format", by_format},
          {"stage", encoder.options().stage},
          {"device", flags.device_name()}};
}

}  // namespace
}  // namespace glimpse::bench

int main(int argc, char** argv) {
  using namespace glimpse;
  CLI::App app{"Images a second of a CNN encoder"};
  bench::CommonFlags flags;
  flags.add_to(app);
  EncoderOptions options;
  bool with_forward = false;
  app.add_option("--encoder", options.name, "one of torchvision's names")->capture_default_str();
  app.add_option("--stage", options.stage, "where it ends; empty: the family's usual stage");
  app.add_option("--grid", options.grid, "cells along a side; 0: native")->capture_default_str();
  app.add_option("--size", options.size, "pixels along a side")->capture_default_str();
  app.add_flag("--forward", with_forward, "time the differentiable pass, too");
  return bench::run_benchmark(app, argc, argv, [&] { return bench::run(flags, options, with_forward); });
}
