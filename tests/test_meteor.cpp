// METEOR, its stems and its synonyms, against nltk's (golden/make_meteor_goldens.py).

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "catch.h"
#include "error_of.h"
#include "glimpse/data/internal/porter_stemmer.h"
#include "glimpse/data/internal/wordnet.h"
#include "glimpse/data/metrics.h"
#include "glimpse/kernels/base/utf8.h"
#include "program.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;
namespace fs = std::filesystem;

namespace {

const std::string small_wordnet = GLIMPSE_TEST_DATA "/wordnet";
const std::string debian_wordnet = "/usr/share/wordnet";

/// Where METEOR looks for WordNet, while it lives.
class SearchIn {
 public:
  explicit SearchIn(const std::string& folder) { ::setenv("WNSEARCHDIR", folder.c_str(), 1); }
  ~SearchIn() { ::unsetenv("WNSEARCHDIR"); }
  SearchIn(const SearchIn&) = delete;
  SearchIn& operator=(const SearchIn&) = delete;
};

const nlohmann::json& goldens() {
  static const nlohmann::json json = nlohmann::json::parse(slurp(GLIMPSE_TEST_DATA "/meteor.json"));
  return json;
}

CaptionWords words_of(const std::string& text) {
  std::istringstream stream(text);
  CaptionWords words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

double meteor_of(const std::string& caption, const std::vector<std::string>& references) {
  std::vector<CaptionWords> list;
  for (const std::string& reference : references) list.push_back(words_of(reference));
  return score_captions({words_of(caption)}, {list})["meteor"];
}

/// Scores all captions of a part of the golden file at once, and each against its reference value.
void check_goldens(const char* part) {
  std::vector<CaptionWords> captions;
  std::vector<std::vector<CaptionWords>> references;
  double sum = 0;
  for (const auto& row : goldens().at(part)) {
    captions.push_back(words_of(row.at(0)));
    references.emplace_back();
    for (const auto& reference : row.at(1)) references.back().push_back(words_of(reference));
    sum += row.at(2).get<double>();
  }
  const Scores scores = score_captions(captions, references);
  for (std::size_t i = 0; i < captions.size(); ++i) {
    INFO(goldens().at(part).at(i).dump());
    CHECK(std::abs(scores.of_image(i, "meteor") - goldens().at(part).at(i).at(2).get<double>()) < 1e-9);
  }
  CHECK(scores["meteor"] == Approx(sum / static_cast<double>(captions.size())).epsilon(1e-9));
  CHECK(captions.size() >= 300);
}

std::u32string code_points(std::string_view text) {
  std::u32string result;
  while (!text.empty()) result += take_code_point(text);
  return result;
}

}  // namespace

TEST_CASE("stems equal nltk's") {
  std::size_t count = 0;
  for (const auto& [word, stem] : goldens().at("stems").items()) {
    INFO(word);
    CHECK(porter_stem(code_points(word)) == code_points(stem.get<std::string>()));
    ++count;
  }
  CHECK(count > 300);
  CHECK(porter_stem(U"").empty());
}

TEST_CASE("METEOR equals nltk's with a small dictionary") {
  const SearchIn folder(small_wordnet);
  check_goldens("small");
}

TEST_CASE("METEOR equals nltk's with WordNet 3.0 where it is installed") {
  if (!fs::exists(debian_wordnet + "/index.noun")) return;
  const SearchIn folder(debian_wordnet);
  check_goldens("wordnet");
}

TEST_CASE("METEOR says which stages it had") {
  const auto note = [] { return score_captions({{"a"}}, {{{"a"}}}).all[4]; };
  {
    const SearchIn folder(small_wordnet);
    CHECK(note().name == "meteor");
    CHECK(note().note == "as nltk computes it: words, stems, synonyms of WordNet");
    CHECK(meteor_of("couch", {"sofa"}) == Approx(0.5));  // one chunk of one match
  }
  const ScratchFolder empty;
  const SearchIn folder(empty.path());
  CHECK_THAT(note().note, Contains("no WordNet is installed"));
  CHECK(meteor_of("couch", {"sofa"}) == 0);
  CHECK(meteor_of("running Dogs", {"runs dog"}) == Approx(1 - 0.5 / 8));
  CHECK(score_captions({{"a"}}, {{{"a"}}}).all[0].note.empty());
}

TEST_CASE("synonyms come from all parts of speech and from forms that morphy finds") {
  const WordNet wordnet(small_wordnet);
  using Set = std::set<std::string>;
  CHECK(wordnet.synonyms("dog") == Set{"dog", "hound"});
  CHECK(wordnet.synonyms("hounds") == Set{"dog", "hound"});
  CHECK(wordnet.synonyms("domestic_dog") == Set{"dog", "hound"});
  CHECK(wordnet.synonyms("men") == Set{"man", "Adam"});
  CHECK(wordnet.synonyms("kid") == Set{"child", "kid", "youngster", "goat"});
  CHECK(wordnet.synonyms("wolves") == Set{"wolf", "wolv", "pack"});
  CHECK(wordnet.synonyms("biggest") == Set{"big", "large", "great"});
  CHECK(wordnet.synonyms("best") == Set{"well", "good"});
  CHECK(wordnet.synonyms("zebra").empty());
  CHECK(wordnet.synonyms("").empty());
  CHECK(wordnet.synonyms("\xc3\xbc").empty());
}

TEST_CASE("a damaged WordNet is named") {
  const auto message = [](const std::string& file, const std::string& content) {
    const ScratchFolder folder;
    fs::copy(small_wordnet, folder.path(), fs::copy_options::recursive);
    folder.file(file, content);
    return error_of([&] { WordNet(folder.path()).synonyms("dog"); });
  };
  CHECK_THAT(message("data.noun", "  1 nothing\n"), Contains("data.noun: damaged: no synset at 00000068"));
  const std::string data = slurp(small_wordnet + "/data.noun");
  CHECK_THAT(message("data.noun", data.substr(0, data.find("hound"))), Contains("is cut short"));
  CHECK_THAT(message("index.noun", "dog n x\n"), Contains("index.noun: damaged: the line of 'dog'"));
  CHECK_THAT(message("index.noun", "dog n 1 999999999999 @\n"), Contains("the line of 'dog'"));
  CHECK_THAT(message("index.noun", "dog n 1 0 1 0 99999999\n"), Contains("no synset at 99999999"));
  CHECK_THAT(message("index.noun", "dog n 999999999 0 1 0 00000068\n"), Contains("no synset at"));
  CHECK_THAT(error_of([] { WordNet("/nowhere"); }), Contains("/nowhere/index.noun"));
}
