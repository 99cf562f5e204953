#pragma once
// The word ids that every vocabulary begins with.

#include <cstdint>

namespace glimpse {

inline constexpr std::int32_t pad_word = 0;       ///< fills captions of a batch up to equal length; never predicted
inline constexpr std::int32_t start_word = 1;     ///< before the first word
inline constexpr std::int32_t end_word = 2;       ///< after the last word
inline constexpr std::int32_t unk_word = 3;       ///< any word that is not in the vocabulary
inline constexpr std::int32_t special_words = 4;  ///< how many there are

/// How the special words are written, by id.
inline constexpr const char* special_word_names[special_words] = {"<pad>", "<start>", "<end>", "<unk>"};

}  // namespace glimpse
