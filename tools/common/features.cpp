#include "features.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "glimpse/kernels/base/check.h"
#include "glimpse/models/encoder/frozen_encoder.h"
#include "interrupt.h"
#include "program.h"

namespace glimpse::tools {
namespace {

constexpr std::int64_t encode_batch = 32;

std::vector<std::string> filenames_of(const ImageList& images) {
  std::vector<std::string> names;
  for (const CaptionedImage* image : images) names.push_back(image->filename);
  return names;
}

FeatureKey key_of(const Captioner& captioner, const Examples& examples, const std::vector<std::string>& filenames,
                  const std::string& weights) {
  return feature_key(captioner.encoder, captioner.preprocessing, hash_images(filenames, examples.paths(filenames)),
                     weights);
}

/// Why the file cannot serve, or "". A cache may hold more images than are asked for: its key is that of all it holds.
std::string why_not(const Captioner& captioner, const Examples& examples, const ImageList& images,
                    const std::string& weights, const std::string& path) {
  if (!std::filesystem::exists(path)) return "there is none yet";
  const std::vector<std::string> encoded = FeatureCache(path).filenames();
  FeatureKey key;
  try {
    key = key_of(captioner, examples, encoded, weights);
  } catch (const Error&) {
    return "it was made from other images";
  }
  return FeatureCache::why_stale(path, key, filenames_of(images));
}

}  // namespace

FeatureKey feature_key(const Encoder& encoder, const Preprocessing& preprocessing, const std::string& images,
                       const std::string& weights) {
  FeatureKey key;
  key.images = images;
  key.encoder = encoder.description() + (encoder.options().stride_in_1x1 ? ", stride in 1x1" : "");
  key.weights = weights;
  key.preprocessing =
      fmt::format("squash {}, mean {}, std {}", preprocessing.size, preprocessing.mean, preprocessing.std);
  return key;
}

FeatureCache open_features(const Captioner& captioner, const Examples& examples, const ImageList& images,
                           const std::string& weights, const std::string& path, Progress& progress) {
  const std::string reason = why_not(captioner, examples, images, weights, path);
  if (reason.empty()) {
    progress.print(fmt::format("features    {}: fits, is used again", path));
    return FeatureCache(path);
  }
  progress.print(fmt::format("features    {}: {}; encoding {} images", path, reason, with_commas(std::ssize(images))));
  const FrozenEncoder encoder(captioner.encoder);
  const Stopwatch watch;
  FeatureCache::BuildOptions options;
  options.batch_size = encode_batch;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    if (Interrupt::requested()) throw Stopped{};
    const double rate = static_cast<double>(done) / watch.seconds();
    if (progress.due())
      progress.update(fmt::format("encoding {}/{}  {:.1f} images/s  ETA {}", done, total, rate,
                                  human_seconds(static_cast<double>(total - done) / rate)));
  };
  const auto encode = [&](std::int64_t begin, std::int64_t end) {
    const ImageList batch(images.begin() + begin, images.begin() + end);
    return encoder(examples.pixels(batch, captioner.preprocessing, captioner.device())).to(Device::cpu);
  };
  const std::vector<std::string> filenames = filenames_of(images);
  FeatureCache cache =
      FeatureCache::build(path, key_of(captioner, examples, filenames, weights), filenames, encode, options);
  progress.print(fmt::format("features    {} images in {}, {:.1f} images/s", with_commas(std::ssize(images)),
                             human_seconds(watch.seconds()), static_cast<double>(images.size()) / watch.seconds()));
  return cache;
}

std::int64_t feature_bytes(const Captioner& captioner, std::int64_t count) {
  return count * captioner.encoder.locations() * captioner.encoder.channels() * 2;
}

FeatureFunction cached_features(const FeatureCache& cache, Device device) {
  return [&cache, device](const ImageList& images) {
    std::vector<std::int64_t> rows;
    for (const CaptionedImage* image : images) rows.push_back(cache.row(image->filename));
    return cache.gather(rows).to(device);
  };
}

FeatureFunction encoded_features(const Captioner& captioner, const Examples& examples) {
  const auto encoder = std::make_shared<FrozenEncoder>(captioner.encoder);
  return [encoder, &examples, preprocessing = captioner.preprocessing, device = captioner.device()](
             const ImageList& images) { return (*encoder)(examples.pixels(images, preprocessing, device)); };
}

}  // namespace glimpse::tools
