#pragma once
// Captions of a whole split and how good they are.

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "glimpse/data/caption_statistics.h"
#include "glimpse/data/metrics.h"
#include "glimpse/models/captioner/captioner.h"
#include "glimpse/models/captioner/features.h"

namespace glimpse {

/// Free-running captions of a split.
struct DecodedSplit {
  std::vector<std::vector<ImageCaption>> captions;  ///< n best of each image, best first
  double seconds = 0;                               ///< of the beam search alone
  double total_seconds = 0;                         ///< with reading images and encoding
};

/// Teacher-forced: the true words stand before each word that is predicted.
struct ForcedScores {
  double loss = 0;  ///< mean -log p of a word, `<end>` included; natural logarithm
  double top1 = 0;  ///< share of words that are the likeliest
  double top5 = 0;  ///< share of words among the five likeliest
  double perplexity() const { return std::exp(loss); }
};

/// Called after each batch with the number of images done; false stops.
using Watch = std::function<bool(std::int64_t done)>;

/// A model of an ensemble, and where its features come from.
struct EnsembleMember {
  const CaptionModel& model;
  const FeatureFunction& features;
};

/// Captions each image once, options.batch at a time; from the same features come the scores of the true captions,
/// where `forced` is given. Throws Stopped when `watch` says to stop.
DecodedSplit decode_split(const CaptionModel& model, const ImageList& images, const FeatureFunction& features,
                          const CaptionOptions& options, const Watch& watch = {}, ForcedScores* forced = nullptr);
/// The same by an ensemble (caption_features); members with one and the same `features` share what it gives. Throws
/// Error where `forced` is given for more than one model.
DecodedSplit decode_split(const std::vector<EnsembleMember>& ensemble, const ImageList& images,
                          const CaptionOptions& options, const Watch& watch = {}, ForcedScores* forced = nullptr);

/// The words of the best captions, and the references, as the metrics take them.
std::vector<CaptionWords> best_captions(const DecodedSplit& decoded);
std::vector<std::vector<CaptionWords>> references_of(const ImageList& images);

/// What is known of a model after an epoch.
struct Validation {
  std::vector<CaptionWords> captions;  ///< one an image, free-running
  Scores scores;
  CaptionStatistics statistics;
  ForcedScores forced;
  double seconds = 0;
};

/// Captions and scores a split as model.config.validation says, each image's features taken once; captions are ranked
/// as CaptionOptions does. Throws Stopped when `watch` says to stop.
Validation validate(const CaptionModel& model, const ImageList& images, const FeatureFunction& features,
                    const Watch& watch = {});

/// How much more than chance the network looks at what it names, in the built-in scenes.
struct AttentionStatistic {
  std::int64_t nouns = 0;  ///< named shapes that were found
  double inside = 0;       ///< mean share of the attention inside the named shape when its noun is written
  double area = 0;         ///< mean share of the picture that the shape covers
  double ratio() const { return area > 0 ? inside / area : 0; }
};

/// Of the best captions, which must have been decoded with attention.
AttentionStatistic attention_statistic(const SceneDataset& scenes, const ImageList& images,
                                       const DecodedSplit& decoded);

}  // namespace glimpse
