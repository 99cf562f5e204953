#include "glimpse/models/training/validation.h"

#include <algorithm>

#include "glimpse/data/batches.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/stopwatch.h"

namespace glimpse {
namespace {

/// Captions scored together by the teacher-forced pass; bounds its memory.
constexpr std::size_t forced_batch = 128;

ImageList pick(const ImageList& images, const std::vector<std::int32_t>& indices) {
  ImageList result;
  for (const std::int32_t i : indices) result.push_back(images[i]);
  return result;
}

struct ForcedSums {
  double loss = 0;
  std::int64_t words = 0;
  Hits hits;
};

/// Adds the captions of `images`, whose features (N,L,D) are given.
void add_forced(const CaptionModel& model, const ImageList& images, const Tensor& features, ForcedSums& sums) {
  std::vector<std::vector<std::int32_t>> captions;
  std::vector<std::int64_t> image_of;
  for (std::size_t i = 0; i < images.size(); ++i)
    for (const CaptionWords& caption : images[i]->captions) {
      captions.push_back(model.vocabulary.encode(caption));
      image_of.push_back(static_cast<std::int64_t>(i));
    }
  LossOptions options;
  options.doubly_stochastic = 0;
  options.train = false;
  options.count_hits = true;
  Generator unused(1);
  for (std::size_t begin = 0; begin < captions.size(); begin += forced_batch) {
    const std::size_t end = std::min(begin + forced_batch, captions.size());
    const auto at = [](auto& list, std::size_t i) { return list.begin() + static_cast<std::ptrdiff_t>(i); };
    const std::int64_t first = image_of[begin], last = image_of[end - 1];
    std::vector<std::int64_t> image;
    for (std::size_t i = begin; i < end; ++i) image.push_back(image_of[i] - first);
    const TokenBatch batch = make_token_batch({at(captions, begin), at(captions, end)}, image);
    const DecoderLoss loss = model.decoder.loss(features.rows(first, last + 1), batch, unused, options);
    sums.loss += loss.cross_entropy * static_cast<double>(loss.tokens);
    sums.words += loss.tokens;
    sums.hits.top1 += loss.hits.top1;
    sums.hits.top5 += loss.hits.top5;
  }
}

}  // namespace

DecodedSplit decode_split(const CaptionModel& model, const ImageList& images, const FeatureFunction& features,
                          const CaptionOptions& options, const Watch& watch, ForcedScores* forced) {
  return decode_split(std::vector<EnsembleMember>{{model, features}}, images, options, watch, forced);
}

DecodedSplit decode_split(const std::vector<EnsembleMember>& ensemble, const ImageList& images,
                          const CaptionOptions& options, const Watch& watch, ForcedScores* forced) {
  check(!forced || ensemble.size() == 1, "words are predicted by one model, not by an ensemble of {}", ensemble.size());
  const NoGrad no_grad;
  const Stopwatch total;
  DecodedSplit result;
  ForcedSums sums;
  double forced_seconds = 0;
  for (const std::vector<std::int32_t>& indices : image_batches(std::ssize(images), options.batch)) {
    const ImageList part = pick(images, indices);
    std::vector<ModelView> views;
    for (const EnsembleMember& member : ensemble) {
      const auto first = std::find_if(ensemble.begin(), ensemble.end(),
                                      [&](const EnsembleMember& m) { return &m.features == &member.features; });
      const auto at = static_cast<std::size_t>(first - ensemble.begin());
      views.push_back({member.model, at < views.size() ? views[at].features : member.features(part)});
    }
    CaptionOptions of_batch = options;
    of_batch.first_image += std::ssize(result.captions);
    const Stopwatch search;
    for (std::vector<ImageCaption>& captions : caption_features(views, of_batch))
      result.captions.push_back(std::move(captions));
    result.seconds += search.seconds();
    if (forced != nullptr) {
      const Stopwatch stopwatch;
      add_forced(views.front().model, part, views.front().features, sums);
      forced_seconds += stopwatch.seconds();
    }
    if (watch && !watch(std::ssize(result.captions))) throw Stopped();
  }
  result.total_seconds = total.seconds() - forced_seconds;
  const auto words = static_cast<double>(std::max<std::int64_t>(sums.words, 1));
  if (forced != nullptr)
    *forced = {sums.loss / words, static_cast<double>(sums.hits.top1) / words,
               static_cast<double>(sums.hits.top5) / words};
  return result;
}

std::vector<CaptionWords> best_captions(const DecodedSplit& decoded) {
  std::vector<CaptionWords> result;
  for (const std::vector<ImageCaption>& best : decoded.captions)
    result.push_back(best.empty() ? CaptionWords{} : best.front().words);
  return result;
}

std::vector<std::vector<CaptionWords>> references_of(const ImageList& images) {
  std::vector<std::vector<CaptionWords>> result;
  for (const CaptionedImage* image : images) result.push_back(image->captions);
  return result;
}

Validation validate(const CaptionModel& model, const ImageList& images, const FeatureFunction& features,
                    const Watch& watch) {
  const Stopwatch stopwatch;
  const ValidationConfig& config = model.config.validation;
  const CaptionOptions options{.beam = config.beam, .max_words = config.max_words, .batch = config.batch};
  Validation result;
  result.captions = best_captions(decode_split(model, images, features, options, watch, &result.forced));
  result.scores = score_captions(result.captions, references_of(images));
  result.statistics = caption_statistics(result.captions);
  result.seconds = stopwatch.seconds();
  return result;
}

AttentionStatistic attention_statistic(const SceneDataset& scenes, const ImageList& images,
                                       const DecodedSplit& decoded) {
  AttentionStatistic result;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const ImageCaption& caption = decoded.captions[i].front();
    if (!caption.attention.defined()) continue;
    const std::int64_t height = caption.attention.size(1), width = caption.attention.size(2), cells = height * width;
    const Scene scene = scenes.scene(images[i]->filename);
    for (const NamedShape& shape : named_shapes(scene, caption.words)) {
      const std::span<const float> weights(caption.attention.data<float>() + shape.position * cells,
                                           static_cast<std::size_t>(cells));
      result.inside += attention_inside(shape.mask, weights, static_cast<int>(height), static_cast<int>(width));
      result.area += static_cast<double>(shape.mask.area()) / (shape.mask.width * shape.mask.height);
      ++result.nouns;
    }
  }
  if (result.nouns > 0) {
    result.inside /= static_cast<double>(result.nouns);
    result.area /= static_cast<double>(result.nouns);
  }
  return result;
}

}  // namespace glimpse
