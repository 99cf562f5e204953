// Captions that another system has written.
#include "catch.h"
#include "error_of.h"
#include "glimpse/data/captions.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

using Words = std::vector<std::string>;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("captions of another system in all forms, tokenised as the references are") {
  const ScratchFolder folder;
  const CaptionedImage one{"p/a.jpg", "", "val", {{"m\u00e4dchen", "l\u00e4uft"}}, "102"};
  const CaptionedImage two{"b.jpg", "", "val", {{"a", "<unk>"}}, "103"};
  const auto compared = [&](const std::string& json, WordRule rule = WordRule::unicode) {
    return read_compared_captions(folder.file("c.json", json), {&one, &two}, rule);
  };
  const std::vector<Words> expected = {{"m\u00e4dchen", "l\u00e4uft"}, {"a", "<unk>"}};
  CHECK(
      compared(
          R"([{"filename": "p/a.jpg", "caption": "M\u00e4dchen l\u00e4uft."}, {"filename": "b.jpg", "caption": "A <unk>"}])") ==
      expected);
  CHECK(
      compared(
          R"([{"image": "a.jpg", "caption": ["Ma\u0308dchen l\u00e4uft"]}, {"file_name": "b.jpg", "caption": "a <unk> "}])") ==
      expected);
  CHECK(
      compared(
          R"([{"image_id": 103, "caption": "a <unk>"}, {"image_id": "102", "caption": "M\u00e4dchen l\u00e4uft"}])") ==
      expected);
  CHECK(compared(
            R"([{"image_id": "b", "caption": "a <unk>"}, {"image_id": "a", "caption": "M\u00e4dchen l\u00e4uft"}])") ==
        expected);
  CHECK(compared(R"({"b.jpg": "a <unk>", "a.jpg": "M\u00e4dchen l\u00e4uft"})") == expected);
  CHECK(
      compared(
          "\xef\xbb\xbf"
          R"({"annotations": [{"image_id": 103, "caption": "a <unk>"}, {"image_id": 102, "caption": "M\u00e4dchen l\u00e4uft"}]})") ==
      expected);
  CHECK(compared(R"({"b.jpg": "a <unk>", "a.jpg": "M\u00e4dchen l\u00e4uft."})", WordRule::spaces)[0] ==
        Words{"M\u00e4dchen", "l\u00e4uft."});

  const auto message = [&](const std::string& json) { return error_of([&] { compared(json); }); };
  CHECK(contains(message(R"([{"filename": "b.jpg", "caption": "x"}])"),
                 "no caption for 1 of the 2 images, the first is 'p/a.jpg'; the file names 'b.jpg'"));
  CHECK(contains(message(R"([{"image_id": 5, "caption": "x"}])"),
                 "the first is 'p/a.jpg' with id 102; the file names '5'"));
  CHECK(contains(
      message("[{\"filename\": \"b.jpg\", \"caption\": \"x\"},\n{\"filename\": \"b.jpg\", \"caption\": \"y\"}]"),
      "c.json: line 2: a second caption for 'b.jpg'"));
  CHECK(contains(message("[{\"caption\": \"x\"}]"), "c.json: line 1: an entry without image; expected [{"));
  CHECK(contains(message("[{\"image_id\": 1.5, \"caption\": \"x\"}]"), "an image is named 1.5"));
  CHECK(contains(message("[{\"image_id\": 1, \"caption\": 7}]"), "a caption is 7"));
  CHECK(contains(message("[1, 2]"), "c.json: line 1: 1 is no caption"));
  CHECK(contains(message("[]"), "no caption in it"));
}
