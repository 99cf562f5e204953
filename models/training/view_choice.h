#pragma once
// Which view of its image (data/image_views.h) a caption is trained with.

#include <cstdint>
#include <string>
#include <vector>

#include "glimpse/data/batches.h"
#include "glimpse/data/dataset.h"
#include "glimpse/models/captioner/config.h"

namespace glimpse {

/// Draws one of config.data.views views for each caption in each pass over the data. Where the captions of an image are
/// trained together (training.grouping=image, self-critical training) they see one view, so that the image is encoded
/// once for them. A caption with one of config.data.side_words ("left") is never shown a mirror image, of which it
/// would not be true; where captions go together, none of that image is. The number that is drawn depends on the seed,
/// the pass and the caption alone, so that a run goes on from anywhere.
class ViewChoice {
 public:
  /// `images` are those that the sampler numbers; `rule` cuts side_words into words, as it did the captions.
  ViewChoice(const Config& config, const ImageList& images, WordRule rule);

  /// The view of a caption in pass `epoch` of the sampler.
  int operator()(std::int64_t epoch, const CaptionIndex& item) const;

  /// Captions that see no mirror image, and why, for people.
  std::int64_t unmirrored() const;
  std::string reason() const;

 private:
  int views_;
  bool together_;
  std::uint64_t seed_;
  std::string side_words_;
  std::vector<std::vector<bool>> names_side_;  // of each caption of each image; of one view empty
  std::vector<std::int64_t> first_caption_;    // of each image, counted over all
};

}  // namespace glimpse
