// Writes the features that an encoder makes of photographs, without a caption model.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <new>

#include "common/image_files.h"
#include "common/interrupt.h"
#include "common/program.h"
#include "common/progress.h"
#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/kernels/base/utf8.h"
#include "glimpse/models/captioner/features.h"
#include "glimpse/models/encoder/encoder_input.h"
#include "glimpse/models/encoder/frozen_encoder.h"
#include "glimpse/models/encoder/weights.h"

namespace {

using namespace glimpse;
using namespace glimpse::tools;
namespace fs = std::filesystem;

struct Arguments {
  EncoderOptions encoder{.name = ""};
  std::string weights, out;
  DeviceOptions device;
  ImageArguments images;
  std::string orientation = name_of(Orientation::exif);
  bool f32 = false, skip_bad = false;
  int batch = 32, threads = 0;
};

/// Images to encode: where each lies, and its name in the output, which is that of the file without its folders.
struct Photographs {
  std::vector<std::string> paths, names;
};

Photographs named_photographs(const ImageArguments& arguments) {
  Photographs photographs;
  std::map<std::string, std::string> seen;
  for (const std::string& path : image_files(arguments, "encode")) {
    const std::string name = fs::path(path).filename().string();
    const auto [other, is_new] = seen.emplace(name, path);
    check(is_new, "{} and {} have one name; encode them into two files", other->second, path);
    photographs.paths.push_back(path);
    photographs.names.push_back(name);
  }
  return photographs;
}

/// Decodes every photograph once. Throws Error with the list of those that cannot be read; with `skip_bad` they are
/// said and left out.
Photographs readable(const Photographs& all, const ImageOptions& options, bool skip_bad) {
  std::vector<std::string> faults(all.paths.size());
  kernels::parallel_for_each(std::ssize(all.paths), [&](std::int64_t i) {
    try {
      read_image(all.paths[i], options);
    } catch (const std::bad_alloc&) {  // a picture too large for this machine
      faults[i] = all.paths[i] + ": out of memory";
    } catch (const std::exception& e) {
      faults[i] = e.what();
    }
  });
  Photographs good;
  std::vector<std::string> bad;
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (!faults[i].empty()) {
      bad.push_back(faults[i]);
    } else {
      good.paths.push_back(all.paths[i]);
      good.names.push_back(all.names[i]);
    }
  }
  const std::string list = fmt::format("{}", fmt::join(bad, "\n  "));
  check(!good.paths.empty() || bad.size() > 1, "{}", list);
  check(bad.empty() || skip_bad, "{} of {} images cannot be read (--skip-bad leaves them out):\n  {}", bad.size(),
        faults.size(), list);
  check(!good.paths.empty(), "none of {} images can be read:\n  {}", faults.size(), list);
  if (!bad.empty())
    write_text(stderr, fmt::format("encode: {} of {} images left out:\n  {}\n", bad.size(), faults.size(),
                                   printable_lines(list)));
  return good;
}

void encode(const Arguments& a) {
  const Device device = use_device(a.device);
  use_threads(a.threads);
  Generator generator = Generator().undrawn();
  Encoder encoder = make_encoder(a.encoder, generator);
  const EncoderWeights weights = load_encoder_weights(encoder, a.weights);
  if (!weights.note.empty()) fmt::print("{}\n", weights.note);
  if (!weights.left_over.empty())
    fmt::print("{}: {} tensors are beyond {} and not used: {}, ...\n", a.weights, weights.left_over.size(),
               encoder.options().stage, weights.left_over[0]);
  Preprocessing preprocessing = encoder_preprocessing(a.encoder);
  preprocessing.orientation = *choice_named<Orientation>(a.orientation);
  const ImageOptions reading = preprocessing.reading(a.images.max_pixels);
  const Photographs photographs = readable(named_photographs(a.images), reading, a.skip_bad);
  const std::int64_t count = std::ssize(photographs.paths);

  move_to(encoder, device);
  const FrozenEncoder frozen(encoder);
  const Stopwatch watch;
  Progress progress;
  FeatureCache::BuildOptions options;
  options.dtype = a.f32 ? DType::f32 : DType::f16;
  options.batch_size = a.batch;
  const Interrupt interrupt;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    if (Interrupt::requested()) throw Stopped();
    if (progress.due()) progress.update(encoding_progress(done, total, watch.seconds()));
  };
  const FeatureKey key = feature_key(encoder, preprocessing, hash_images(photographs.names, photographs.paths),
                                     hash_weights(a.encoder.name, a.weights));
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    const auto image = [&](std::int64_t i) { return read_image(photographs.paths[begin + i], reading); };
    return frozen(encoder_input(end - begin, image, preprocessing, device)).to(Device::cpu);
  };
  FeatureCache::build(a.out, key, photographs.names, run, options);
  progress.print(fmt::format("{}: features ({},{},{}) {} of {} images, {}; {:.1f} images/s", a.out, count,
                             encoder.locations(), encoder.channels(), name_of(options.dtype), with_commas(count),
                             encoder.description(), static_cast<double>(count) / watch.seconds()));
}

void run(int argc, char** argv) {
  CLI::App app("Writes the features that a CNN makes of photographs: tensor 'features' (N,L,D), names in the metadata.",
               "encode");
  Arguments a;
  app.add_option("--encoder", a.encoder.name,
                 fmt::format("one of {}; or several side by side, joined by +", fmt::join(encoder_names(), ", ")))
      ->required();
  app.add_option("--weights", a.weights,
                 "safetensors or .pth file with torchvision's names; of encoders side by side one each, joined by +")
      ->required();
  app.add_option("--out", a.out, "safetensors file to write")->required();
  add_image_arguments(app, a.images);
  app.add_option("--orientation", a.orientation, "exif: photographs are turned upright; stored: EXIF is ignored")
      ->check(CLI::IsMember(choice_names<Orientation>()))
      ->capture_default_str();
  app.add_option("--stage", a.encoder.stage, "stage whose output is the grid; empty: the family's usual one");
  app.add_option("--grid", a.encoder.grid, "cells a side, more than the native ones by dilation; 0: native")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--size", a.encoder.size, "photographs are squashed to so many pixels a side")
      ->check(CLI::Range(16, 1024))
      ->capture_default_str();
  app.add_flag("--stride-in-1x1", a.encoder.stride_in_1x1, "ResNet v1: stride in the 1x1 convolution");
  app.add_flag("--f32", a.f32, "write f32, not f16");
  app.add_option("--batch", a.batch, "images at a time")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_flag("--skip-bad", a.skip_bad, "leave out, and list, images that cannot be read");
  app.add_option("--threads", a.threads, "0: all cores")->check(CLI::Range(0, 4096))->capture_default_str();
  add_device_options(app, a.device);
  parse_arguments(app, argc, argv);
  encode(a);
}

}  // namespace

int main(int argc, char** argv) {
  return glimpse::tools::run_program("encode", [&] { run(argc, argv); });
}
