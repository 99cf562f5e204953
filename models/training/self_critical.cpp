#include "glimpse/models/training/self_critical.h"

#include <numeric>

#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/search/beam.h"
#include "glimpse/models/search/sample.h"

namespace glimpse {
namespace {

constexpr const char* end_text = "<end>";

std::vector<std::vector<CaptionWords>> references_with_end(const ImageList& images) {
  std::vector<std::vector<CaptionWords>> references;
  for (const CaptionedImage* image : images) {
    references.push_back(image->captions);
    for (CaptionWords& reference : references.back()) reference.push_back(end_text);
  }
  return references;
}

/// Of each of n captions of one image, the mean score of the others.
std::vector<double> means_of_others(const std::vector<double>& scores) {
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
  std::vector<double> means;
  for (const double score : scores) means.push_back((sum - score) / static_cast<double>(scores.size() - 1));
  return means;
}

}  // namespace

void check_self_critical(const SelfCriticalConfig& config, const ImageList& images) {
  check(images.size() > 1, "self-critical training: CIDEr-D of a single image is always 0");
  check(config.samples > 1 || config.baseline == Baseline::greedy,
        "self-critical training: self_critical.baseline=leave-one-out needs self_critical.samples of at least 2");
}

SelfCritical::SelfCritical(const CaptionModel& model, const ImageList& images)
    : model_(model), cider_(references_with_end(images)) {
  check_self_critical(model.config.self_critical, images);
  for (std::size_t i = 0; i < images.size(); ++i) number_[images[i]] = i;
}

double SelfCritical::score(const CaptionedImage& image, const std::vector<std::int32_t>& words, bool finished) {
  CaptionWords text = model_.vocabulary.decode(words);
  if (finished) text.push_back(end_text);
  return cider_(number_.at(&image), text);
}

std::vector<double> SelfCritical::greedy_scores(const ImageList& images, const Tensor& features) {
  std::vector<double> scores;
  const BeamOptions greedy{.beam = 1, .max_length = model_.config.validation.max_words + 1};
  const std::vector<std::vector<Caption>> captions = beam_search(model_.decoder, features, greedy);
  for (std::size_t i = 0; i < images.size(); ++i)
    scores.push_back(score(*images[i], captions[i][0].words, captions[i][0].finished));
  return scores;
}

SelfCritical::Result SelfCritical::operator()(const ImageList& images, const Tensor& features, Generator& generator) {
  const SelfCriticalConfig& c = model_.config.self_critical;
  SampleOptions sampling{.count = c.samples, .max_length = model_.config.validation.max_words + 1};
  sampling.seed = static_cast<std::uint64_t>(generator.next()) << 32;
  sampling.seed |= generator.next();
  const Tensor seen = features.detach();
  const std::vector<SearchMember> alone{{model_.decoder, seen}};
  const std::vector<std::vector<Caption>> drawn = sample_captions(alone, sampling);
  std::vector<double> greedy;
  if (c.baseline == Baseline::greedy) greedy = greedy_scores(images, seen);

  Result result;
  LossOptions options{.doubly_stochastic = 0, .train = false};
  std::vector<std::vector<std::int32_t>> captions;
  std::vector<std::int64_t> image_of;
  for (std::size_t i = 0; i < images.size(); ++i) {
    std::vector<double> scores;
    for (const Caption& caption : drawn[i]) {
      scores.push_back(score(*images[i], caption.words, caption.finished));
      captions.push_back({start_word});
      captions.back().insert(captions.back().end(), caption.words.begin(), caption.words.end());
      if (caption.finished) captions.back().push_back(end_word);
      image_of.push_back(static_cast<std::int64_t>(i));
      result.reward += scores.back();
    }
    const std::vector<double> baseline =
        greedy.empty() ? means_of_others(scores) : std::vector<double>(scores.size(), greedy[i]);
    for (std::size_t s = 0; s < scores.size(); ++s) options.caption_weights.push_back(scores[s] - baseline[s]);
  }
  result.reward /= static_cast<double>(captions.size());
  result.loss = model_.decoder.loss(features, make_token_batch(captions, image_of), generator, options).total;
  return result;
}

}  // namespace glimpse
