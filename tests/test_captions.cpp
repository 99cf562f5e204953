// Caption files of all forms, good and broken, and the check of the images that they name.
#include <filesystem>

#include "catch.h"
#include "error_of.h"
#include "glimpse/data/captions.h"
#include "glimpse/data/image.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/error.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

using Words = std::vector<std::string>;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const char* const karpathy = R"({"images": [
  {"sentids": [0, 1], "imgid": 0, "split": "train", "filename": "a.jpg", "sentences": [
    {"tokens": ["a", "dog"], "raw": "A dog .", "imgid": 0, "sentid": 0},
    {"raw": "A tri-colored dog, isn't it?", "imgid": 0, "sentid": 1}]},
  {"sentids": [2], "imgid": 1, "split": "restval", "filename": "b.jpg", "filepath": "val2014",
   "sentences": [{"tokens": ["two", "dogs"]}, {"tokens": ["two", "dogs"]}]},
  {"imgid": 2, "split": "val", "filename": "c.jpg", "sentences": [{"tokens": ["a", "cat"]}]},
  {"imgid": 3, "split": "test", "filename": "d.jpg", "sentences": []},
  {"imgid": 4, "split": "train", "filename": "a.jpg", "sentences": [{"tokens": ["a", "dog"]}, {"tokens": ["my", "dog"]}]}
 ], "dataset": "made up"})";

const char* const kaggle =
    "image,caption\r\n"
    "a.jpg,A dog , running .\r\n"
    "a.jpg,\"A dog, \"\"fast\"\" .\"\r\n"
    "b.jpg,Two dogs .\r\n"
    "\r\n"
    "\"c,\"\"1\"\".jpg\",A cat\r\n"
    "a.jpg,a dog running\r\n"
    "e.jpg,In no list .\r\n"
    "f.jpg, .\r\n";

/// A folder with the three lists of Flickr8k.
void write_lists(const ScratchFolder& folder) {
  folder.file("Flickr_8k.trainImages.txt", "a.jpg\nb.jpg\nf.jpg\n");
  folder.file("Flickr_8k.devImages.txt", "c,\"1\".jpg\r\n");
  folder.file("Flickr_8k.testImages.txt", "nowhere.jpg\n");
  folder.file("readme.txt", "no list\n");
}

}  // namespace

TEST_CASE("Karpathy's JSON") {
  const ScratchFolder folder;
  const CaptionSet set = read_captions(folder.file("dataset.json", karpathy));
  REQUIRE(set.images.size() == 3);
  CHECK(set.images[0].filename == "a.jpg");
  CHECK(set.images[0].split == "train");
  const std::vector<Words> joined = {{"a", "dog"}, {"a", "tricolored", "dog", "isnt", "it"}, {"my", "dog"}};
  CHECK(set.images[0].captions == joined);  // listed twice; the caption that came again is dropped
  CHECK(set.listed_twice == Words{"a.jpg"});
  CHECK(set.images[1].split == "train");  // restval
  CHECK(set.images[1].subfolder == "val2014");
  CHECK(set.images[1].id == "1");
  CHECK(set.rule == WordRule::ascii);
  CHECK(set.images[1].captions.size() == 2);  // two people wrote the same
  CHECK(set.without_captions == Words{"d.jpg"});
  CHECK(set.split("train").size() == 2);
  CHECK(set.split("val").size() == 1);
  CHECK(set.split("test").empty());
}

TEST_CASE("split lists replace the splits of a file") {
  const ScratchFolder folder, lists;
  lists.file("train.txt", "c.jpg\n");
  lists.file("val.txt", "b.jpg\n");
  const CaptionSet set =
      read_captions(folder.file("dataset.json", std::string("\xef\xbb\xbf") + karpathy), lists.path());
  REQUIRE(set.images.size() == 2);
  CHECK(set.split("train")[0]->filename == "c.jpg");
  CHECK(set.split("val")[0]->filename == "b.jpg");
  CHECK(set.without_split == Words{"a.jpg"});
}

TEST_CASE("JSON cut at any byte names the file and the byte") {
  const ScratchFolder folder;
  const std::string whole = karpathy;
  for (std::size_t length = 1; length < whole.size(); length += 7) {
    const std::string path = folder.file("cut.json", whole.substr(0, length));
    const std::string message = error_of([&] { read_captions(path); });
    INFO(message);
    CHECK(contains(message, path + ": JSON ends in the middle, at byte " + std::to_string(length) + " (line "));
  }
  const std::string broken = folder.file("broken.json", "{\"images\": [}");
  CHECK(contains(error_of([&] { read_captions(broken); }), "broken.json: JSON is broken at byte 13 of 13"));
}

TEST_CASE("JSON that is no caption file says what is missing") {
  const ScratchFolder folder;
  const auto message = [&](const std::string& content) {
    const std::string path = folder.file("x.json", content);
    return error_of([&] { read_captions(path); });
  };
  CHECK(contains(message("{}"), "lists no images"));
  CHECK(contains(message(R"({"images":[]})"), "lists no images"));
  CHECK(contains(message(R"({"images":[{"split":"train","sentences":[]}]})"), "images[0] has no 'filename'"));
  CHECK(contains(message(R"({"images":[{"filename":"a","split":"train"},{"filename":"b"}]})"),
                 "line 1: images[1] has no 'split', but images[0] has one"));
  CHECK(contains(message(R"({"images":[{"filename":"a","split":"dev"}]})"), "split 'dev', expected train"));
  CHECK(contains(message(R"({"images":[{"filename":3,"split":"train"}]})"), "wrong type"));
  CHECK(
      contains(message(R"({"images":[{"filename":"a","split":"train","sentences":[{"tokens":[1]}]}]})"), "wrong type"));
  CHECK(contains(message(R"({"images":[{"filename":"a","split":"train","sentences":[7]}]})"), "expected objects"));
  CHECK(
      contains(message(R"({"images":[{"filename":"a","split":"train","sentences":[]}]})"), "no image with a caption"));
  CHECK(contains(message(R"({"images":[{"filename":"a","split":"train","sentences":[{"raw":"x"}]},
                            {"filename":"a","split":"val","sentences":[{"raw":"x"}]}]})"),
                 "in split train and in split val"));
}

TEST_CASE("COCO's captions JSON, a file or the folder of annotations") {
  const ScratchFolder folder;
  const std::string train = R"({"info": {"year": 2014}, "annotations": [{"image_id": 7, "id": 1, "caption": "A Dog."},
      {"image_id": 9, "id": 2, "caption": "Two dogs"}], "images": [{"id": 7, "file_name": "t7.jpg"},
      {"id": 9, "file_name": "t9.jpg"}, {"id": 10, "file_name": "t10.jpg"}]})";
  const std::string val = R"({"images": [{"id": 7, "file_name": "v7.jpg"}],
      "annotations": [{"image_id": 7, "id": 3, "caption": "A cat"}]})";
  folder.file("captions_train2014.json", train);
  folder.file("captions_val2014.json", val);
  folder.file("instances_val2014.json", "not captions");
  const CaptionSet set = read_captions(folder.path());
  REQUIRE(set.images.size() == 3);
  CHECK(set.split("train").size() == 2);
  REQUIRE(set.split("val").size() == 1);
  CHECK(set.split("val")[0]->filename == "v7.jpg");
  CHECK(set.images[0].captions == std::vector<Words>{{"a", "dog"}});
  CHECK(set.without_captions == Words{"t10.jpg"});
  CHECK(contains(error_of([&] { read_captions(folder.file("mine.json", val)); }), "--splits"));
  const std::string stray = R"({"images": [{"id": 7, "file_name": "v7.jpg"}],
      "annotations": [{"image_id": 8, "id": 3, "caption": "A cat"}]})";
  CHECK(contains(error_of([&] { read_captions(folder.file("captions_val.json", stray)); }), "image_id 8"));
}

TEST_CASE("Kaggle's captions.txt with split lists") {
  const ScratchFolder folder, lists;
  write_lists(lists);
  const std::string path = folder.file("captions.txt", kaggle);
  const CaptionSet set = read_captions(path, lists.path());
  REQUIRE(set.images.size() == 3);
  CHECK(set.images[0].captions == std::vector<Words>{{"a", "dog", "running"}, {"a", "dog", "fast"}});
  CHECK(set.images[2].filename == "c,\"1\".jpg");
  CHECK(set.images[2].split == "val");
  CHECK(set.listed_twice == Words{"a.jpg"});
  CHECK(set.without_split == Words{"e.jpg"});
  CHECK(set.without_captions == Words{"f.jpg", "nowhere.jpg"});

  CHECK(contains(error_of([&] { read_captions(path); }), "--splits"));
  const std::string bad = folder.file("bad.txt", "image,caption\r\na.jpg,A dog\r\nno comma here\r\n");
  CHECK(contains(error_of([&] { read_captions(bad, lists.path()); }),
                 "bad.txt: line 3: expected 2 fields with ',' between them, got 1: 'no comma here'"));
}

TEST_CASE("Flickr8k.token.txt with split lists") {
  const ScratchFolder folder, lists;
  write_lists(lists);
  const std::string path = folder.file("Flickr8k.token.txt",
                                       "a.jpg#0\tA dog .\na.jpg#1\tThe dog #1\na.jpg#2\tA dog\nb.jpg#0\tTwo dogs\n"
                                       "b.jpg#0\tTwo dogs\nb.jpg#1\tDogs\n");
  const CaptionSet set = read_captions(path, lists.path());
  REQUIRE(set.images.size() == 2);
  CHECK(set.images[0].captions == std::vector<Words>{{"a", "dog"}, {"the", "dog", "1"}, {"a", "dog"}});
  CHECK(set.images[1].captions == std::vector<Words>{{"two", "dogs"}, {"dogs"}});
  CHECK(set.listed_twice == Words{"b.jpg"});  // by its number, though the lines are together
  CHECK(set.without_captions == Words{"c,\"1\".jpg", "f.jpg", "nowhere.jpg"});
  const std::string bad = folder.file("bad.txt", "a.jpg#0\tA dog\nb.jpg\n");
  CHECK(contains(error_of([&] { read_captions(bad, lists.path()); }), "bad.txt: line 2"));
}

TEST_CASE("Karpathy's JSON without splits takes them from lists") {
  const ScratchFolder folder, lists;
  const std::string path = folder.file("mine.json", R"({"images": [{"filename": "a.jpg", "imgid": 4,
      "sentences": [{"raw": "Ein M\u00e4dchen"}]}, {"filename": "b.jpg", "sentences": [{"raw": "Hund"}]}]})");
  CHECK(contains(error_of([&] { read_captions(path); }), "--splits"));
  lists.file("train.txt", "a.jpg\n");
  lists.file("val.txt", "b.jpg\n");
  const CaptionSet set = read_captions(path, lists.path());
  REQUIRE(set.images.size() == 2);
  CHECK(set.images[0].captions == std::vector<Words>{{"ein", "m\u00e4dchen"}});
  CHECK(set.images[0].id == "4");
  CHECK(set.rule == WordRule::unicode);
}

TEST_CASE("the rule of a file's words is seen from them") {
  const ScratchFolder folder;
  const auto rule = [&](const std::string& tokens) {
    return read_captions(folder.file("x.json", R"({"images": [{"filename": "a", "split": "val", "sentences": [)" +
                                                   tokens + "]}]}"))
        .rule;
  };
  CHECK(rule(R"({"tokens": ["a", "dog", "3"]})") == WordRule::ascii);
  CHECK(rule(R"({"tokens": ["a", "dog"], "raw": "A d\u00f6g"})") == WordRule::ascii);
  CHECK(rule(R"({"tokens": ["ein", "m\u00e4dchen"]})") == WordRule::unicode);
  CHECK(rule(R"({"tokens": ["\u4e00\u4e2a", "\u5728"]})") == WordRule::spaces);
  CHECK(rule(R"({"tokens": ["a", "dog", "."]})") == WordRule::spaces);
  CHECK(rule(R"({"raw": "a dog"})") == WordRule::unicode);
  CHECK(rule(R"({"tokens": ["a"]}, {"raw": "M\u00e4dchen"})") == WordRule::unicode);
}

TEST_CASE("tables of all makes hold the same captions") {
  const ScratchFolder folder, lists;
  lists.file("train.txt", "a.jpg\n");
  lists.file("val.txt", "b.jpg\n");
  const std::vector<Words> a = {{"a", "dog", "runs"}, {"it", "barks", "loud"}}, b = {{"two", "dogs"}};
  const std::vector<std::string> tables = {
      "image,caption\na.jpg,A dog runs\na.jpg,\"It barks, loud\"\nb.jpg,Two dogs\n",
      "image,caption\na.jpg,\"A dog\nruns\"\na.jpg,\"It \"\"barks\"\"\r\n\r\nloud\"\nb.jpg,Two dogs",
      "image,caption\ra.jpg,A dog runs\ra.jpg,It barks loud\rb.jpg,Two dogs\r",
      "\xef\xbb\xbfimage,caption\r\na.jpg,A dog runs\r\na.jpg,It barks, loud\r\nb.jpg,Two dogs\r\n",
      ",image,caption\n0,a.jpg,A dog runs\n1,a.jpg,It barks loud\n2,b.jpg,Two dogs\n",
      "image_name| comment_number| comment\na.jpg| 0| A dog runs\na.jpg| 1| \"It\" barks | loud\nb.jpg| 0| Two dogs\n",
      "image_name| comment_number| comment\na.jpg| 0| A dog runs\na.jpg| 1   It barks loud\nb.jpg| 0| Two dogs\n",
      "sep=;\nCaption;Image Name\nA dog runs;a.jpg\n\"It barks; loud\";a.jpg\nTwo dogs;b.jpg;;\n;\n",
      "file_name\tcaption\na.jpg\tA dog runs\na.jpg\t\"It barks\tloud\"\nb.jpg\tTwo dogs\n",
      "filename,caption1,caption2\na.jpg,A dog runs,It barks loud\nb.jpg,Two dogs\n",
      "image,caption\na.jpg#0,A dog runs\na.jpg#1,\"It\" barks loud\nb.jpg#0,Two dogs\n",
      "a.jpg,A dog runs\na.jpg,It barks, loud\nb.jpg,Two dogs\n",
      "0;a.jpg;A dog runs\n1;a.jpg;It barks loud\n2;b.jpg;Two dogs\n",
      "image,split,caption\nImages/a.jpg,training,A dog runs\nImages/a.jpg,,It barks loud\nImages/b.jpg,Validation,Two "
      "dogs\n",
      "image,caption\nImages\\a.jpg,A dog runs\nImages\\a.jpg,It barks loud\n./Images/b.jpg,Two dogs\n"};
  for (const std::string& table : tables) {
    CAPTURE(table);
    const bool has_splits = table.find("split") != std::string::npos;
    const CaptionSet set = read_captions(folder.file("captions.csv", table), has_splits ? "" : lists.path());
    REQUIRE(set.images.size() == 2);
    CHECK(std::filesystem::path(set.images[0].filename).filename() == "a.jpg");
    CHECK(set.images[0].captions == a);
    CHECK(set.images[0].split == "train");
    CHECK(set.images[1].captions == b);
    CHECK(set.images[1].split == "val");
    CHECK(set.listed_twice.empty());
  }
}

TEST_CASE("a broken table names the line and what was expected") {
  const ScratchFolder folder, lists;
  write_lists(lists);
  const auto message = [&](const std::string& table) {
    return error_of([&] { read_captions(folder.file("t.csv", table), lists.path()); });
  };
  CHECK(
      contains(message("image,caption\na.jpg,\"A dog\nb.jpg,Two dogs\n"), "t.csv: line 2: a quoted field begins here"));
  CHECK(contains(message("image,caption\na.jpg,\"A dog\nb.jpg,\"Two\" dogs\n"),
                 "line 2: a quoted field begins here and ends"));
  CHECK(contains(message("image,caption\na.jpg,x\n,A dog\n"), "t.csv: line 3: no name of an image"));
  CHECK(contains(message("caption,image\nx,a.jpg\n\n\"A\ndog\",b.jpg,c.jpg\n"), "t.csv: line 4: expected 2 fields"));
  CHECK(contains(message("image,id,caption\na.jpg,4\n"),
                 "t.csv: line 2: expected 3 fields with ',' between them, got 2"));
  CHECK(contains(message("image,split,caption\na.jpg,other,x\n"), "t.csv: line 2: split 'other', expected train"));
  CHECK(contains(message("image,split,caption\na.jpg,val,x\na.jpg,test,x\n"),
                 "t.csv: line 3: a.jpg is in split val and"));
  CHECK(contains(message("image,label\na.jpg,4\n"), "its columns are image, label; expected a column"));
  CHECK(contains(message("image,caption\na.jpg,z\xfcrich\n"), "t.csv: line 2: byte 0xfc is not UTF-8"));
  CHECK(message("image,caption\n" + std::string(5000000, 'x') + "\n").size() < 1000);
}

TEST_CASE("byte order marks and UTF-16 anywhere") {
  const auto utf16 = [](const std::string& ascii) {
    std::string text = "\xff\xfe";
    for (const char c : ascii) text += std::string{c, '\0'};
    return text;
  };
  const ScratchFolder folder, lists;
  lists.file("train.txt",
             "\xef\xbb\xbf"
             "a.jpg\r\n");
  lists.file("val.txt", utf16("c.jpg\n"));
  CHECK(read_captions(folder.file("x.json", utf16(karpathy))).images.size() == 3);
  for (const std::string& text :
       {utf16("image,caption\na.jpg,A dog\nc.jpg,A cat\n"), utf16("a.jpg#0\tA dog\nc.jpg#0\tA cat\n")}) {
    const CaptionSet set = read_captions(folder.file("x.txt", text), lists.path());
    REQUIRE(set.images.size() == 2);
    CHECK(set.images[0].split == "train");
    CHECK(set.images[1].split == "val");
  }
}

TEST_CASE("COCO 2017 as it is published: the root, and a folder for each split") {
  const ScratchFolder root;
  std::filesystem::create_directories(root / "annotations");
  for (const std::string& split : {std::string("train2017"), std::string("val2017")}) {
    std::filesystem::create_directories(root / split);
    write_png(root / (split + "/" + split + ".png"), {2, 2, std::vector<std::uint8_t>(12)});
    root.file("annotations/captions_" + split + ".json",
              R"({"images": [{"id": 7, "file_name": ")" + split +
                  R"(.png"}], "annotations": [{"image_id": 7, "caption": "A dog"}]})");
  }
  for (const std::string& captions : {root.path(), root / "annotations"}) {
    CaptionSet set = read_captions(captions);
    REQUIRE(set.images.size() == 2);
    CHECK(set.images[0].subfolder == "train2017");
    CHECK(image_path(root.path(), set.images[1]) == root / "val2017/val2017.png");
    CHECK(check_images(set, root.path()).usable == 2);
    CHECK(image_path(root / "val2017", set.images[1]) == root / "val2017/val2017.png");
  }
}

TEST_CASE("names that do not match are shown, one of each") {
  const ScratchFolder folder, lists, images;
  lists.file("train.txt", "x1.png\n");
  lists.file("val.txt", "x2.png\n");
  const std::string path = folder.file("captions.csv", "image,caption\na.jpg,A dog\nb.jpg,A cat\n");
  const std::string message = error_of([&] { read_captions(path, lists.path()); });
  CHECK(contains(message, "none of the 2 listed names is among the 2 images"));
  CHECK(contains(message, "listed is 'x1.png'"));
  CHECK(contains(message, "described is 'a.jpg'"));
  images.file("photo.JPG", "");
  CaptionSet set;
  set.images = {{"a.jpg", "", "train", {{"a"}}}};
  CHECK(contains(error_of([&] { check_images(set, images.path()); }), "the folder holds 'photo.JPG'"));
}

TEST_CASE("split lists must be there, and must not overlap") {
  const ScratchFolder folder, empty, overlapping, ambiguous, stems;
  const std::string path = folder.file("captions.txt", kaggle);
  CHECK(contains(error_of([&] { read_captions(path, empty.path()); }), "no lists"));
  CHECK(contains(error_of([&] { read_captions(path, empty / "missing"); }), "missing: "));
  overlapping.file("train.txt", "a.jpg\nb.jpg\n");
  overlapping.file("val.txt", "b.jpg\n");
  CHECK(contains(error_of([&] { read_captions(path, overlapping.path()); }), "val.txt: line 1: b.jpg is also in"));
  ambiguous.file("train.txt", "a.jpg\n");
  ambiguous.file("old_train.txt", "a.jpg\n");
  CHECK(contains(error_of([&] { read_captions(path, ambiguous.path()); }), "two lists of split train"));
  stems.file("train.txt", "a\n");  // Flickr30k's lists leave the extension out
  stems.file("val.txt", "b\n");
  const CaptionSet set = read_captions(path, stems.path());
  REQUIRE(set.images.size() == 2);
  CHECK(set.images[1].split == "val");
}

TEST_CASE("a file of no known form says which are known") {
  const ScratchFolder folder;
  CHECK(contains(error_of([&] { read_captions(folder.file("a.txt", "hello\nworld\n")); }), "not a caption file"));
  CHECK(contains(error_of([&] { read_captions(folder.file("empty.txt", "")); }), "empty.txt: empty file"));
  CHECK(contains(error_of([&] { read_captions(folder / "missing.json"); }), "missing.json: No such file"));
  CHECK(contains(error_of([&] { read_captions(folder.path()); }), "a folder without captions_*.json"));
}

TEST_CASE("every bad image is found by name before training starts") {
  const ScratchFolder folder;
  const Image image{4, 4, std::vector<std::uint8_t>(48, 100)};
  std::filesystem::create_directories(folder / "nested");
  write_png(folder / "good.png", image);
  write_png(folder / "nested/deep.png", image);
  const std::string png = read_text_file(folder / "good.png");
  folder.file("cut.png", png.substr(0, png.size() - 20));
  folder.file("empty.jpg", "");
  folder.file("text.jpg", "hello");
  const auto listed = [](const std::string& name, const std::string& subfolder = "") {
    return CaptionedImage{name, subfolder, "train", {{"a", "dog"}}};
  };
  CaptionSet set;
  set.images = {listed("good.png"), listed("deep.png", "nested"), listed("good.png", "nowhere"),
                listed("cut.png"),  listed("empty.jpg"),          listed("missing.jpg"),
                listed("text.jpg")};
  set.without_captions = {"silent.jpg"};
  set.listed_twice = {"good.png"};
  set.without_split = {"free.jpg"};

  CaptionSet untouched = set;
  const std::string message = error_of([&] { check_images(untouched, folder.path()); });
  INFO(message);
  for (const char* part : {"cut.png: truncated", "empty.jpg: empty file", "missing.jpg: No such file",
                           "text.jpg: not an image", "silent.jpg: has no caption", "--skip-bad"})
    CHECK(contains(message, part));
  CHECK(untouched.images.size() == 7);

  CaptionSet repaired = set;
  const DatasetReport report = check_images(repaired, folder.path(), {.skip_bad = true});
  CHECK(report.usable == 3);
  CHECK(report.bad.size() == 5);
  CHECK(repaired.images.size() == 3);
  CHECK(repaired.without_captions.empty());
  CHECK(contains(report.text(), "3 images can be used, 5 cannot"));
  CHECK(contains(report.text(), "good.png: listed more than once"));
  CHECK(contains(report.text(), "1 images with captions are in no split"));

  CaptionSet headers = set;  // the cut file has a good header
  CHECK(check_images(headers, folder.path(), {.skip_bad = true, .decode = false}).usable == 4);

  CaptionSet hopeless;
  hopeless.images = {listed("missing.jpg")};
  CHECK(contains(error_of([&] { check_images(hopeless, folder.path(), {.skip_bad = true}); }), "none of the 1 images"));
  CHECK(contains(error_of([&] { check_images(set, folder / "absent"); }), "not a folder of images"));
}
