#pragma once
// Self-critical training (Rennie et al., arXiv 1612.00563): captions are drawn from the model, and those that score
// better than their baseline are made likelier, the others less likely.

#include <unordered_map>

#include "glimpse/data/cider_d.h"
#include "glimpse/data/dataset.h"
#include "glimpse/models/captioner/model.h"
#include "glimpse/models/training/training_batches.h"

namespace glimpse {

/// Throws Error for a single image, whose every score is 0, and for a single sample without others to compare it with.
void check_self_critical(const SelfCriticalConfig& config, const ImageList& images);

class SelfCritical {
 public:
  struct Result {
    Tensor loss;        ///< -mean over words of (score - baseline) log p, a scalar
    double reward = 0;  ///< mean score of the drawn captions
  };

  /// Scores are CIDEr-D among all of `images`, the training images. `<end>` counts as a word of references and drawn
  /// captions: else a caption gains by breaking off ("a dog with a"). Both must outlive this. Throws what
  /// check_self_critical does.
  SelfCritical(const CaptionModel& model, const ImageList& images);

  /// Draws captions of the batch's images, whose features (I,L,D) are given. `generator` is drawn from; dropout is off,
  /// so that the gradient is that of the model which drew.
  Result operator()(const ImageList& images, const Tensor& features, Generator& generator);

 private:
  std::vector<double> greedy_scores(const ImageList& images, const Tensor& features);
  double score(const CaptionedImage& image, const std::vector<std::int32_t>& words, bool finished);

  const CaptionModel& model_;
  CiderD cider_;
  std::unordered_map<const CaptionedImage*, std::size_t> number_;  // of an image, for cider_
};

}  // namespace glimpse
