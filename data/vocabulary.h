#pragma once
// Words and their ids.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "glimpse/data/captions.h"
#include "glimpse/engine/words.h"

namespace glimpse {

/// The words that a captioner knows. The first four are `<pad>`, `<start>`, `<end>`, `<unk>`.
class Vocabulary {
 public:
  Vocabulary() = default;
  /// Word i gets id i; `rule` says how captions were made into such words. Throws Error unless the list begins with the
  /// four special words and holds no word twice.
  explicit Vocabulary(std::vector<std::string> words, WordRule rule = WordRule::ascii);
  /// All words that occur at least `min_count` times in the captions of `images` (the training split only, or scores
  /// are flattered), most frequent first, equally frequent ones by alphabet. Throws Error for min_count < 1 or when no
  /// word is left.
  static Vocabulary build(const std::vector<const CaptionedImage*>& images, std::int64_t min_count,
                          WordRule rule = WordRule::ascii);

  std::int32_t size() const { return static_cast<std::int32_t>(words_.size()); }
  /// The id of a word, unk_word for an unknown one.
  std::int32_t id(std::string_view word) const;
  bool contains(std::string_view word) const;
  /// Throws Error when there is no such id.
  const std::string& word(std::int32_t id) const;
  const std::vector<std::string>& words() const { return words_; }
  /// How text becomes these words, and words text.
  WordRule rule() const { return rule_; }

  /// `<start>`, the ids of the words, `<end>`. `max_words` > 0 cuts longer captions.
  std::vector<std::int32_t> encode(const std::vector<std::string>& tokens, std::int64_t max_words = 0) const;
  /// The words of ids, special ones but `<unk>` left out.
  std::vector<std::string> decode(const std::vector<std::int32_t>& ids) const;
  /// The same as text (join_words).
  std::string text(const std::vector<std::int32_t>& ids) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view word) const { return std::hash<std::string_view>{}(word); }
  };
  std::vector<std::string> words_;
  WordRule rule_ = WordRule::ascii;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
};

/// How often each word of `vocabulary` occurs in the captions of `images`, by id: `<end>` counts captions, `<unk>` all
/// unknown words, `<start>` and `<pad>` are 0. For the output bias of a decoder (log frequencies).
std::vector<std::int64_t> word_counts(const Vocabulary& vocabulary, const std::vector<const CaptionedImage*>& images);

/// Share of the words in the captions of `images` that are not in `vocabulary`, in [0,1]; 0 for no words.
double out_of_vocabulary_rate(const Vocabulary& vocabulary, const std::vector<const CaptionedImage*>& images);

}  // namespace glimpse
