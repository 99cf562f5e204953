#include "glimpse/models/captioner/features.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "glimpse/data/image_views.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/tensor_file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/stopwatch.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/models/encoder/encoder_input.h"
#include "glimpse/models/encoder/frozen_encoder.h"
#include "glimpse/models/encoder/weights.h"

namespace glimpse {
namespace {

constexpr std::int64_t encode_batch = 32;

/// Why the file cannot serve, or "". A cache may hold more images than are asked for: its key is that of all it holds.
std::string why_not(const std::string& path, const std::vector<std::string>& filenames,
                    const std::function<FeatureKey(const std::vector<std::string>&)>& key_of) {
  if (!std::filesystem::exists(path)) return "there is none yet";
  FeatureKey key;
  const std::vector<std::string> encoded = FeatureCache(path).filenames();
  try {
    key = key_of(encoded);
  } catch (const Error&) {
    return "it was made from other images";
  }
  return FeatureCache::why_stale(path, key, filenames);
}

/// Another program that encodes the same images need not be raced.
void wait_for_writer(const std::string& path, Observer& observer) {
  if (!is_being_written(path)) return;
  observer.say(fmt::format("features    {}: another program is writing it; waiting", path));
  while (is_being_written(path)) {
    if (observer.stop()) throw Stopped();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

/// What is cached. Throws Error where nothing can be.
Encoder frozen_part(const CaptionModel& model) {
  std::optional<Encoder> part = model.encoder.frozen_part();
  check(part.has_value(), "features: encoder {} is trained from the image on", model.encoder.options().name);
  return std::move(*part);
}

/// Encodes all images into a new cache at `path`.
FeatureCache encode_into(const std::string& path, const FeatureKey& key, const CaptionModel& model,
                         const Dataset& dataset, const ImageList& images, Observer& observer) {
  const std::string parent = std::filesystem::absolute(path).parent_path().string();
  const std::int64_t count = std::ssize(images), rows = count * count_views(key.views);
  check_space(parent, feature_bytes(model, rows), "the feature cache needs");
  const FrozenEncoder encoder(frozen_part(model));
  const Stopwatch watch;
  FeatureCache::BuildOptions options;
  options.batch_size = encode_batch;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    if (observer.stop()) throw Stopped();
    observer.progress([&] { return encoding_progress(done, total, watch.seconds()); });
  };
  const auto encode = [&](std::int64_t begin, std::int64_t end) {
    ImageList batch;
    std::vector<int> views;
    for (std::int64_t row = begin; row < end; ++row) {
      batch.push_back(images[row % count]);
      views.push_back(static_cast<int>(row / count));
    }
    return encoder(pixels_of(dataset, batch, model.preprocessing, model.device(), views)).to(Device::cpu);
  };
  FeatureCache cache = FeatureCache::build(path, key, filenames_of(images), encode, options);
  observer.say(fmt::format("features    {} images in {}, {:.1f} images/s", with_commas(rows),
                           human_seconds(watch.seconds()), static_cast<double>(rows) / watch.seconds()));
  return cache;
}

}  // namespace

Tensor pixels_of(const Dataset& dataset, const ImageList& images, const Preprocessing& preprocessing, Device device,
                 const std::vector<int>& views) {
  check(views.empty() || views.size() == images.size(), "pixels: {} views for {} images", views.size(), images.size());
  const auto image = [&](std::int64_t i) {
    ImageOptions reading = preprocessing.reading();
    if (!views.empty()) reading.view = views[i];
    return dataset.image(*images[i], reading);
  };
  return encoder_input(std::ssize(images), image, preprocessing, device);
}

std::string encoding_progress(std::int64_t done, std::int64_t total, double seconds) {
  const double rate = static_cast<double>(done) / seconds;
  return fmt::format("encoding {}/{}  {:.1f} images/s  ETA {}", done, total, rate,
                     human_seconds(static_cast<double>(total - done) / rate));
}

FeatureKey feature_key(const Encoder& encoder, const Preprocessing& preprocessing, const std::string& images,
                       const std::string& weights, int views) {
  FeatureKey key;
  key.views = views_text(views);
  key.images = images;
  key.encoder = encoder.description() + (encoder.options().stride_in_1x1 ? ", stride in 1x1" : "");
  key.weights = weights;
  key.preprocessing = fmt::format("squash {}, {}mean {}, std {}", preprocessing.size,
                                  preprocessing.orientation == Orientation::exif ? "upright, " : "", preprocessing.mean,
                                  preprocessing.std);
  return key;
}

std::string images_hash(const Dataset& dataset, const std::vector<std::string>& filenames) {
  if (!dataset.scenes()) return hash_images(filenames, dataset.paths(filenames));
  std::unordered_map<std::string_view, const CaptionedImage*> by_name;
  for (const CaptionedImage& image : dataset.captions().images) by_name[image.filename] = &image;
  std::string text;
  for (const std::string& name : filenames) {
    const auto found = by_name.find(name);
    check(found != by_name.end(), "{}: no image of {}", name, dataset.description());
    text += name + "\n";
    for (const std::vector<std::string>& caption : found->second->captions) text += join_words(caption) + "\n";
  }
  return hash_bytes(text.data(), text.size());
}

FeatureCache open_features(const CaptionModel& model, const Dataset& dataset, const ImageList& images,
                           const std::string& weights, const std::string& path, Observer& observer, int views,
                           const std::string& content) {
  const std::vector<std::string> filenames = filenames_of(images);
  const auto key_of = [&](const std::vector<std::string>& names) {
    const bool known = !content.empty() && names == filenames;
    return feature_key(frozen_part(model), model.preprocessing, known ? content : images_hash(dataset, names), weights,
                       views);
  };
  while (true) {
    wait_for_writer(path, observer);
    const std::string reason = why_not(path, filenames, key_of);
    if (reason.empty()) {
      observer.say(fmt::format("features    {}: fits, is used again", path));
      return FeatureCache(path);
    }
    observer.say(fmt::format("features    {}: {}; encoding {} images{}", path, reason, with_commas(std::ssize(images)),
                             views == 1 ? "" : fmt::format(" in {} views", views)));
    try {
      return encode_into(path, key_of(filenames), model, dataset, images, observer);
    } catch (const FileBusy&) {  // another program began in the same instant: what it writes will serve
    }
  }
}

std::int64_t feature_bytes(const CaptionModel& model, std::int64_t count) {
  const Encoder part = frozen_part(model);
  return count * part.locations() * part.channels() * 2;
}

FeatureFunction cached_features(const CaptionModel& model, const FeatureCache& cache) {
  return [&model, &cache](const ImageList& images) {
    std::vector<std::int64_t> rows;
    for (const CaptionedImage* image : images) rows.push_back(cache.row(image->filename));
    return model.encoder.forward_rest(cache.gather(rows).to(model.device()));
  };
}

FeatureFunction encoded_features(const CaptionModel& model, const Dataset& dataset) {
  const auto encoder = std::make_shared<FrozenEncoder>(model.encoder);
  return [encoder, &dataset, preprocessing = model.preprocessing, device = model.device()](const ImageList& images) {
    return (*encoder)(pixels_of(dataset, images, preprocessing, device));
  };
}

std::string hash_weights(const std::string& encoder, const std::string& path) {
  std::vector<std::string> files;
  for (const std::string& named : weight_files(encoder, path))
    for (std::string& file : tensor_files(named)) files.push_back(std::move(file));
  if (files.size() == 1) return hash_file(files[0]);
  std::string hashes;
  for (const std::string& file : files) hashes += hash_file(file);
  return hash_bytes(hashes.data(), hashes.size());
}

}  // namespace glimpse
