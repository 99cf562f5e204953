#include "catch.h"
#include "glimpse/data/vocabulary.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;

namespace {

using Words = std::vector<std::string>;

const CaptionedImage train{"a.jpg", "", "train", {{"a", "dog", "runs"}, {"a", "cat", "runs"}, {"a", "dog", "<end>"}}};
const CaptionedImage val{"b.jpg", "", "val", {{"a", "bird", "runs", "bird"}}};

}  // namespace

TEST_CASE("a vocabulary holds frequent words, the most frequent first, ties by alphabet") {
  CHECK(Vocabulary::build({&train}, 1).words() ==
        Words{"<pad>", "<start>", "<end>", "<unk>", "a", "dog", "runs", "cat"});
  CHECK(Vocabulary::build({&train}, 2).words() == Words{"<pad>", "<start>", "<end>", "<unk>", "a", "dog", "runs"});
  CHECK(Vocabulary::build({&train}, 3).words() == Words{"<pad>", "<start>", "<end>", "<unk>", "a"});
  CHECK_THROWS_AS(Vocabulary::build({&train}, 4), Error);
  CHECK_THROWS_AS(Vocabulary::build({&train}, 0), Error);
  CHECK_THROWS_AS(Vocabulary::build({}, 1), Error);
}

TEST_CASE("words become ids and ids words") {
  const Vocabulary vocabulary = Vocabulary::build({&train}, 1);
  CHECK(vocabulary.size() == 8);
  CHECK(vocabulary.id("dog") == 5);
  CHECK(vocabulary.id("bird") == unk_word);
  CHECK(vocabulary.contains("cat"));
  CHECK_FALSE(vocabulary.contains("bird"));
  const std::vector<std::int32_t> ids = vocabulary.encode({"a", "bird", "runs"});
  CHECK(ids == std::vector<std::int32_t>{start_word, 4, unk_word, 6, end_word});
  CHECK(vocabulary.encode({"a", "dog", "runs"}, 2) == std::vector<std::int32_t>{start_word, 4, 5, end_word});
  CHECK(vocabulary.encode({}) == std::vector<std::int32_t>{start_word, end_word});
  CHECK(vocabulary.encode({"<end>"}) == std::vector<std::int32_t>{start_word, unk_word, end_word});
  CHECK(vocabulary.decode(ids) == Words{"a", "<unk>", "runs"});
  CHECK(vocabulary.text({start_word, 4, 7, end_word, pad_word}) == "a cat");
  CHECK(vocabulary.word(7) == "cat");
  CHECK_THROWS_AS(vocabulary.word(8), Error);
  CHECK_THROWS_AS(vocabulary.word(-1), Error);
}

TEST_CASE("a vocabulary is rebuilt from its words") {
  const Vocabulary vocabulary = Vocabulary::build({&train}, 1);
  const Vocabulary again(vocabulary.words());
  CHECK(again.id("cat") == vocabulary.id("cat"));
  CHECK_THROWS_AS(Vocabulary(Words{"a", "b"}), Error);
  CHECK_THROWS_AS(Vocabulary(Words{}), Error);
  CHECK_THROWS_AS(Vocabulary(Words{"<pad>", "<start>", "<end>", "<unk>", "a", "a"}), Error);
}

TEST_CASE("out-of-vocabulary rate and word counts") {
  const Vocabulary vocabulary = Vocabulary::build({&train}, 1);
  CHECK(out_of_vocabulary_rate(vocabulary, {&val}) == Approx(0.5));
  CHECK(out_of_vocabulary_rate(vocabulary, {}) == 0);
  // <pad>, <start>, <end>, <unk>, a, dog, runs, cat; the spelled "<end>" is an unknown word like any other
  CHECK(word_counts(vocabulary, {&train}) == std::vector<std::int64_t>{0, 0, 3, 1, 3, 2, 2, 1});
  CHECK(word_counts(vocabulary, {&val}) == std::vector<std::int64_t>{0, 0, 1, 2, 1, 0, 1, 0});
}

TEST_CASE("a vocabulary knows how its words were made") {
  CHECK(Vocabulary::build({&train}, 1).rule() == WordRule::ascii);
  const CaptionedImage chinese{"a.jpg", "", "train", {{"\u4e00", "\u4e2a", "\u5c0f", "3d"}}};
  const Vocabulary characters = Vocabulary::build({&chinese}, 1, WordRule::unicode);
  CHECK(characters.rule() == WordRule::unicode);
  CHECK(characters.text(characters.encode({"\u4e00", "\u4e2a", "3d"})) == "\u4e00\u4e2a 3d");
  const Vocabulary given = Vocabulary::build({&chinese}, 1, WordRule::spaces);
  CHECK(given.text(given.encode({"\u4e00", "\u4e2a"})) == "\u4e00 \u4e2a");
  CHECK(Vocabulary(characters.words(), WordRule::unicode).rule() == WordRule::unicode);
}
