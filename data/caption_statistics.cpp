#include "glimpse/data/caption_statistics.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

namespace glimpse {

CaptionStatistics caption_statistics(const std::vector<CaptionWords>& captions,
                                     const std::vector<CaptionWords>& training) {
  CaptionStatistics statistics;
  if (captions.empty()) return statistics;
  const std::set<CaptionWords> known(training.begin(), training.end());
  std::set<std::string_view> used;
  std::int64_t words = 0, unknown = 0, novel = 0, bad = 0;
  statistics.shortest = std::ssize(captions.front());
  for (const CaptionWords& caption : captions) {
    const std::int64_t length = std::ssize(caption);
    words += length;
    unknown += std::count(caption.begin(), caption.end(), "<unk>");
    used.insert(caption.begin(), caption.end());
    novel += !known.contains(caption);
    bad += !caption.empty() && is_bad_ending(caption.back());
    statistics.shortest = std::min(statistics.shortest, length);
    statistics.longest = std::max(statistics.longest, length);
    statistics.empty += caption.empty();
  }
  const auto count = static_cast<double>(captions.size());
  statistics.distinct = static_cast<double>(std::set<CaptionWords>(captions.begin(), captions.end()).size()) / count;
  if (!training.empty()) statistics.novel = static_cast<double>(novel) / count;
  statistics.unknown = words == 0 ? 0 : static_cast<double>(unknown) / static_cast<double>(words);
  statistics.bad_endings = static_cast<double>(bad) / count;
  statistics.words = std::ssize(used) - static_cast<std::int64_t>(used.contains("<unk>"));
  statistics.mean_length = static_cast<double>(words) / count;
  return statistics;
}

bool is_bad_ending(std::string_view word) {
  constexpr std::array<std::string_view, 37> list = {
      "a",       "although", "amid",   "among",  "an",   "and",   "as",   "at",  "atop",  "because",
      "beneath", "beside",   "but",    "during", "for",  "from",  "his",  "if",  "into",  "its",
      "my",      "nor",      "of",     "onto",   "or",   "our",   "than", "the", "their", "to",
      "toward",  "towards",  "unless", "until",  "upon", "while", "with"};
  return std::binary_search(list.begin(), list.end(), word);
}

}  // namespace glimpse
