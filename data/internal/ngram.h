#pragma once
// Words and n-grams as small integers, counted caption by caption; shared by the metrics.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace glimpse {

constexpr int max_ngram = 4;

/// One n-gram of a caption and how often it occurs there.
struct NgramCount {
  std::int32_t id;
  std::int32_t count;
};

/// A caption as the metrics see it.
struct CountedCaption {
  std::vector<std::int32_t> words;
  std::array<std::vector<NgramCount>, max_ngram> ngrams;  // [k]: the (k+1)-grams, in order of first occurrence
};

/// Gives the same number to the same n-gram (of 1 to 4 words) of any caption.
class NgramTable {
 public:
  /// The strings must outlive the table.
  CountedCaption count(const std::vector<std::string>& words);
  /// Numbers given so far: ids lie in [0, size()).
  std::size_t size() const { return entries_.size(); }
  /// Forgets the n-grams with numbers from `size` on, whose strings may then end.
  void shrink(std::size_t size);
  /// The word of each id; empty for longer n-grams.
  std::vector<std::string_view> words() const;

 private:
  struct Entry {
    std::int64_t caption = -1;  // the last caption that held it
    std::int32_t position = 0;  // where it stands in that caption's list
    std::string_view word = {};
    std::uint64_t key = 0;  // in longer_, where it is no word
  };
  std::int32_t add(Entry entry);

  std::unordered_map<std::string_view, std::int32_t> words_;
  std::unordered_map<std::uint64_t, std::int32_t> longer_;  // (id of all words but the last, id of the last)
  std::vector<Entry> entries_;                              // by id
  std::int64_t captions_ = 0;
};

}  // namespace glimpse
