#pragma once
// What scores do not show of captions: how many different ones there are, of which words, how long, how they end.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "glimpse/data/metrics.h"

namespace glimpse {

/// A model that ignores the image writes few distinct captions, one that has learnt by heart no novel ones, one with a
/// broken vocabulary many `<unk>`, one that was trained on the score alone many captions that stop in mid-sentence.
struct CaptionStatistics {
  double distinct = 0;          ///< share of different captions among all, in (0, 1]
  std::optional<double> novel;  ///< share of captions that are no training caption; nothing where those are not known
  double unknown = 0;           ///< share of words that are `<unk>`, in [0, 1]
  double bad_endings = 0;       ///< share of captions with is_bad_ending() of their last word
  std::int64_t words = 0;       ///< different words in use, `<unk>` not counted
  double mean_length = 0;       ///< words per caption
  std::int64_t shortest = 0, longest = 0;  ///< words
  std::int64_t empty = 0;                  ///< captions without a word
};

/// Statistics of captions; all zero where there are none. `training`: the captions that the model was trained on.
CaptionStatistics caption_statistics(const std::vector<CaptionWords>& captions,
                                     const std::vector<CaptionWords>& training = {});

/// Whether an English sentence hardly ends in this word (lower case): articles, possessives, conjunctions, and those
/// prepositions that are no adverbs. "On" and "by" are: people look on and walk by.
bool is_bad_ending(std::string_view word);

}  // namespace glimpse
