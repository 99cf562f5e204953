#include "glimpse/data/vocabulary.h"

#include <algorithm>
#include <map>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

std::vector<std::string> special_words_list() { return {std::begin(special_word_names), std::end(special_word_names)}; }

/// The id of a caption's word: a caption cannot spell <end>.
std::int32_t plain_id(const Vocabulary& vocabulary, std::string_view word) {
  const std::int32_t id = vocabulary.id(word);
  return id < special_words ? unk_word : id;
}

}  // namespace

Vocabulary::Vocabulary(std::vector<std::string> words, WordRule rule) : words_(std::move(words)), rule_(rule) {
  const std::vector<std::string> special = special_words_list();
  check(words_.size() >= special.size() && std::equal(special.begin(), special.end(), words_.begin()),
        "vocabulary: the first words must be <pad> <start> <end> <unk>, got {} words that begin with '{}'",
        words_.size(), words_.empty() ? "" : printable(words_[0], 40));
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const auto [before, is_new] = ids_.try_emplace(words_[i], static_cast<std::int32_t>(i));
    check(is_new, "vocabulary: '{}' is word {} and word {}", printable(words_[i], 40), before->second, i);
  }
}

Vocabulary Vocabulary::build(const std::vector<const CaptionedImage*>& images, std::int64_t min_count, WordRule rule) {
  check(min_count >= 1, "vocabulary: min_count {}, expected at least 1", min_count);
  std::map<std::string, std::int64_t> counts;
  for (const CaptionedImage* image : images)
    for (const auto& caption : image->captions)
      for (const std::string& word : caption) ++counts[word];
  std::vector<std::string> words = special_words_list();
  for (const std::string& word : words) counts.erase(word);  // a caption that spells "<unk>" means that
  std::vector<std::pair<std::string, std::int64_t>> kept;
  for (const auto& entry : counts)
    if (entry.second >= min_count) kept.push_back(entry);
  check(!kept.empty(), "vocabulary: none of the {} words of {} images occurs {} times", counts.size(), images.size(),
        min_count);
  // The map is sorted by word, so a stable sort leaves equally frequent words in order.
  std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (auto& entry : kept) words.push_back(std::move(entry.first));
  return Vocabulary(std::move(words), rule);
}

std::int32_t Vocabulary::id(std::string_view word) const {
  const auto found = ids_.find(word);
  return found == ids_.end() ? unk_word : found->second;
}

bool Vocabulary::contains(std::string_view word) const { return ids_.find(word) != ids_.end(); }

const std::string& Vocabulary::word(std::int32_t id) const {
  check(id >= 0 && id < size(), "vocabulary: no word {} among {}", id, size());
  return words_[id];
}

std::vector<std::int32_t> Vocabulary::encode(const std::vector<std::string>& tokens, std::int64_t max_words) const {
  std::vector<std::int32_t> ids = {start_word};
  for (const std::string& token : tokens) {
    if (max_words > 0 && static_cast<std::int64_t>(ids.size()) > max_words) break;
    ids.push_back(plain_id(*this, token));
  }
  ids.push_back(end_word);
  return ids;
}

std::vector<std::string> Vocabulary::decode(const std::vector<std::int32_t>& ids) const {
  std::vector<std::string> tokens;
  for (const std::int32_t id : ids)
    if (id != pad_word && id != start_word && id != end_word) tokens.push_back(word(id));
  return tokens;
}

std::string Vocabulary::text(const std::vector<std::int32_t>& ids) const { return join_words(decode(ids), rule_); }

std::vector<std::int64_t> word_counts(const Vocabulary& vocabulary, const std::vector<const CaptionedImage*>& images) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(vocabulary.size()), 0);
  for (const CaptionedImage* image : images) {
    for (const auto& caption : image->captions) {
      for (const std::string& word : caption) ++counts[plain_id(vocabulary, word)];
      ++counts[end_word];
    }
  }
  return counts;
}

double out_of_vocabulary_rate(const Vocabulary& vocabulary, const std::vector<const CaptionedImage*>& images) {
  std::int64_t words = 0, unknown = 0;
  for (const CaptionedImage* image : images) {
    for (const auto& caption : image->captions) {
      for (const std::string& word : caption) {
        ++words;
        unknown += plain_id(vocabulary, word) == unk_word;
      }
    }
  }
  return words == 0 ? 0 : static_cast<double>(unknown) / static_cast<double>(words);
}

}  // namespace glimpse
