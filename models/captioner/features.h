#pragma once
// What the decoder sees of an image: rows of a feature cache, or what the encoder makes of its pixels.

#include <functional>
#include <string>

#include "glimpse/data/dataset.h"
#include "glimpse/data/feature_cache.h"
#include "glimpse/models/captioner/model.h"
#include "glimpse/models/captioner/observer.h"

namespace glimpse {

/// Features (N,L,D) f32 of images.
using FeatureFunction = std::function<Tensor(const ImageList& images)>;

/// What an encoder takes of images (encoder_input.h): (N,3,S,S), image i in its view views[i] (data/image_views.h);
/// without `views` each in its first.
Tensor pixels_of(const Dataset& dataset, const ImageList& images, const Preprocessing& preprocessing, Device device,
                 const std::vector<int>& views = {});

/// What a cache of features of an encoder that does not change depends on; `images` and `weights` are hashes
/// (data/feature_cache.h), `views` how many each image has. Throws Error for a number of views that does not exist.
FeatureKey feature_key(const Encoder& encoder, const Preprocessing& preprocessing, const std::string& images,
                       const std::string& weights, int views = 1);

/// "encoding 32/7000  41.2 images/s  ETA 2:49".
std::string encoding_progress(std::int64_t done, std::int64_t total, double seconds);

/// A hash of the content of images (hash_images); of scenes, which need not be drawn for it, of names and captions.
std::string images_hash(const Dataset& dataset, const std::vector<std::string>& filenames);

/// The cache at `path` when it holds `views` views of all `images`, or more, as the frozen part of this model's encoder
/// sees them; else encodes them into it, saying why, or waits for another program that does so. Throws Error when
/// `path` is a file of another kind, when an image cannot be read, and Stopped when the observer wants to stop
/// meanwhile. `content`: the images_hash of `images`, where it is known already.
FeatureCache open_features(const CaptionModel& model, const Dataset& dataset, const ImageList& images,
                           const std::string& weights, const std::string& path, Observer& observer, int views = 1,
                           const std::string& content = "");

/// Bytes that open_features will write for `count` views of images.
std::int64_t feature_bytes(const CaptionModel& model, std::int64_t count);

/// Features of first views from a cache of the encoder's frozen part, the rest of the encoder run as it is now. Both
/// must outlive the function.
FeatureFunction cached_features(const CaptionModel& model, const FeatureCache& cache);
/// Features by running the encoder as it is now. `dataset` must outlive the function.
FeatureFunction encoded_features(const CaptionModel& model, const Dataset& dataset);

/// Hash of an encoder's files of weights (weight_files), of an index with the files that it names: FeatureKey::weights.
/// Throws Error.
std::string hash_weights(const std::string& encoder, const std::string& path);

}  // namespace glimpse
