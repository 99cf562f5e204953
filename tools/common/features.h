#pragma once
// What the decoder sees of an image: rows of a feature cache, or what the encoder makes of its pixels.

#include <functional>
#include <string>

#include "examples.h"
#include "glimpse/data/feature_cache.h"
#include "glimpse/models/captioner/captioner.h"
#include "progress.h"

namespace glimpse::tools {

/// Features (N,L,D) f32 of images.
using FeatureFunction = std::function<Tensor(const ImageList& images)>;

/// What a cache of features depends on; `images` and `weights` are hashes (data/feature_cache.h).
FeatureKey feature_key(const Encoder& encoder, const Preprocessing& preprocessing, const std::string& images,
                       const std::string& weights);

/// The cache at `path` when it holds all `images` as this captioner's encoder sees them; else encodes them into it,
/// saying why. Throws Error when `path` is a file of another kind, when an image cannot be read, and Stopped when the
/// user asks to stop meanwhile.
FeatureCache open_features(const Captioner& captioner, const Examples& examples, const ImageList& images,
                           const std::string& weights, const std::string& path, Progress& progress);

/// Bytes that open_features will write for `count` images.
std::int64_t feature_bytes(const Captioner& captioner, std::int64_t count);

/// Features from a cache, which must outlive the function.
FeatureFunction cached_features(const FeatureCache& cache, Device device);
/// Features by running the encoder as it is now.
FeatureFunction encoded_features(const Captioner& captioner, const Examples& examples);

/// Thrown where the user's Ctrl-C ends work that cannot be gone on with later.
struct Stopped {};

}  // namespace glimpse::tools
