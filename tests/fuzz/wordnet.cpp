// WordNet's files of any content: an answer or an Error.
#include "glimpse/data/internal/wordnet.h"
#include "fuzz.h"

namespace glimpse::fuzz {
namespace {

/// The same bytes stand for every file: lines of each kind can be found in them.
void read(std::string_view bytes) {
  const WordNet wordnet("fuzz", {{{"noun", bytes, bytes, bytes},
                                  {"verb", bytes, bytes, bytes},
                                  {"adj", bytes, bytes, bytes},
                                  {"adv", bytes, bytes, bytes}}});
  for (const char* word : {"dog", "dogs", "running", "", "00000000"}) wordnet.synonyms(word);
}

std::vector<std::string> seeds() {
  return {"00000000 00 n 02 dog 0 hound(p) 1 000 | gloss\ndog n 1 2 @ ~ 1 0 00000000\n",
          "dogs dog\ndog n 1 0 1 0 00000000\n"};
}

}  // namespace

const Target target{read, seeds};

}  // namespace glimpse::fuzz
