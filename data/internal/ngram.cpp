#include "glimpse/data/internal/ngram.h"

namespace glimpse {

std::int32_t NgramTable::add(Entry entry) {
  entries_.push_back(entry);
  return static_cast<std::int32_t>(entries_.size()) - 1;
}

std::vector<std::string_view> NgramTable::words() const {
  std::vector<std::string_view> words(size());
  for (const auto& [word, id] : words_) words[id] = word;
  return words;
}

CountedCaption NgramTable::count(const std::vector<std::string>& words) {
  CountedCaption caption;
  for (const std::string& word : words) {
    const auto [found, is_new] = words_.try_emplace(word, 0);
    if (is_new) found->second = add({.word = word});
    caption.words.push_back(found->second);
  }
  std::vector<std::int32_t> ids = caption.words;  // ids[i]: the k-gram that begins at word i
  for (std::size_t k = 1; k <= max_ngram && k <= words.size(); ++k) {
    ids.resize(words.size() - k + 1);
    std::vector<NgramCount>& counts = caption.ngrams[k - 1];
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (k > 1) {
        const std::uint64_t key =
            static_cast<std::uint64_t>(ids[i]) << 32 | static_cast<std::uint32_t>(caption.words[i + k - 1]);
        const auto [found, is_new] = longer_.try_emplace(key, 0);
        if (is_new) found->second = add({.key = key});
        ids[i] = found->second;
      }
      Entry& entry = entries_[ids[i]];
      if (entry.caption == captions_) {
        ++counts[entry.position].count;
      } else {
        entry.caption = captions_;
        entry.position = static_cast<std::int32_t>(counts.size());
        counts.push_back({ids[i], 1});
      }
    }
  }
  ++captions_;
  return caption;
}

void NgramTable::shrink(std::size_t size) {
  for (; entries_.size() > size; entries_.pop_back()) {
    const Entry& entry = entries_.back();
    if (entry.word.data() != nullptr)
      words_.erase(entry.word);
    else
      longer_.erase(entry.key);
  }
}

}  // namespace glimpse
