#pragma once
// Stems of English words.

#include <string>

namespace glimpse {

/// The stem of a word in lower case after Porter 1980, "An algorithm for suffix stripping", with the departures that
/// nltk makes by default (PorterStemmer.NLTK_EXTENSIONS): words of one or two letters stay, some irregular forms have
/// stems of their own, -ies and -ied become -ie in words of four letters, y becomes i after any consonant, and a few
/// endings more are known. What is no letter of English counts as a consonant.
std::u32string porter_stem(const std::u32string& word);

}  // namespace glimpse
