#pragma once
// How well a captioner finds what belongs together: the captions of an image among all captions, and the image of a
// caption among all images, by log p(caption | image) (Vinyals et al. 2015, "Show and Tell", section 4.3.6).

#include <cstdint>
#include <vector>

#include "glimpse/models/captioner/features.h"
#include "glimpse/models/training/validation.h"

namespace glimpse {

/// One direction: of each query the rank of the best answer that is right, 1 the best. Of equals the wrong ones count
/// as better.
struct RetrievalRanks {
  double r1 = 0, r5 = 0, r10 = 0;  ///< share of queries with a right answer among the first 1, 5, 10
  double median = 0;               ///< of the ranks
};

struct RetrievalScores {
  std::int64_t images = 0, captions = 0;
  RetrievalRanks find_captions;  ///< image -> captions; a caption that reads like one of the image's own is right too
  RetrievalRanks find_images;    ///< caption -> image
};

/// From the ranks (from 1) of all queries. Throws Error where there are none.
RetrievalRanks retrieval_ranks(std::vector<std::int64_t> ranks);

/// Scores each caption of `images` given each of them: images times captions passes of the decoder, some hundred at a
/// time; memory grows with images plus captions alone. `watch` gets the pairs that are done. Throws Error for fewer
/// than two images, and Stopped when `watch` says to stop.
RetrievalScores retrieve(const CaptionModel& model, const ImageList& images, const FeatureFunction& features,
                         const Watch& watch = {});

/// At most `count` images, evenly spaced over the list.
ImageList evenly_spaced(const ImageList& images, std::int64_t count);

}  // namespace glimpse
