#pragma once
// Synonyms from the files of WordNet's database (wndb(5), morphy(7) of its manual), read where they are asked for.

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "glimpse/engine/io/file.h"

namespace glimpse {

/// The files of one part of speech.
struct WordNetPart {
  std::string name;             ///< "noun"
  std::string_view index;       ///< index.noun: words, with the places of their synsets; sorted
  std::string_view data;        ///< data.noun: synsets
  std::string_view exceptions;  ///< noun.exc: irregular forms; sorted
};

class WordNet {
 public:
  /// Nouns, verbs, adjectives, adverbs; the texts must outlive it. `where` begins messages.
  WordNet(std::string where, std::array<WordNetPart, 4> parts);
  /// The database in `folder`. Throws Error for a file that cannot be opened.
  explicit WordNet(const std::string& folder);
  /// That of the machine: in $WNSEARCHDIR, else in $WNHOME/dict, which are WordNet's own variables, else in
  /// /usr/share/wordnet; nothing where there is no index.noun.
  static std::optional<WordNet> installed();

  /// All words without a blank that share a synset with `word` (lower case) or with a form that morphy finds of it:
  /// an entry of the exceptions, else what is left without one ending. Throws Error naming the file and the place for
  /// one that is damaged.
  std::set<std::string> synonyms(const std::string& word) const;
  const std::string& where() const { return where_; }

 private:
  std::vector<std::string> base_forms(std::size_t part, const std::string& word) const;
  void add_synset(const WordNetPart& part, std::string_view offset, std::set<std::string>& words) const;

  std::string where_;
  std::vector<std::shared_ptr<MappedFile>> files_;
  std::array<WordNetPart, 4> parts_;
};

}  // namespace glimpse
