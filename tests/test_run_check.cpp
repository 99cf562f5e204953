// What users run first: --overfit, which learns a few images by heart, and --check, which looks before a run begins.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "catch.h"
#include "small_photographs.h"
#include "small_run.h"

using namespace glimpse;
namespace fs = std::filesystem;

namespace {

int problems_in(const ProgramResult& r) {
  int count = 0;
  for (std::size_t at = 0; (at = r.out.find("PROBLEM", at)) != std::string::npos; ++at) ++count;
  return count;
}

}  // namespace

TEST_CASE("a few images are learnt by heart, or the exit code says so") {
  const ScratchFolder folder;
  std::vector<std::string> arguments{"train_flickr",
                                     "--overfit",
                                     "12",
                                     "--run",
                                     folder / "few",
                                     "--threads",
                                     "1",
                                     "--set",
                                     "decoder.hidden=64",
                                     "encoder.train_batch_norm=false"};
  const ProgramResult r = run_program(arguments);
  INFO(r.out << r.err);
  REQUIRE(r.code == 0);
  REQUIRE_THAT(r.out, Contains("12 images with 12 captions to train on, 12 images to validate") &&
                          Contains("overfit     passed: BLEU-4 "));

  arguments[4] = folder / "none";
  arguments.insert(arguments.end(), {"training.learning_rate=0", "encoder.learning_rate=0", "training.epochs=1"});
  const ProgramResult failed = run_program(arguments);
  INFO(failed.out << failed.err);
  REQUIRE(failed.code == 1);
  REQUIRE_THAT(failed.out, Contains("overfit     FAILED"));
}

TEST_CASE("a check finds nothing wrong where nothing is, and writes nothing") {
  const SmallPhotographs p;
  const ProgramResult r = p.train({"--check", "--cache", p.folder / "cache"});
  INFO(r.out << r.err);
  REQUIRE(r.code == 0);
  CHECK(problems_in(r) == 0);
  for (const char* text : {"no picture is there twice", "captions    train: 5.0 an image", "<- data.min_count",
                           "red, green, blue", "the run needs", "the feature cache needs", "to encode 12 images once",
                           "an epoch without validation", "with the pictures of other images", "all is well"})
    CHECK_THAT(r.out, Contains(text));
  CHECK_FALSE(fs::exists(p.run));
  CHECK(fs::is_empty(p.folder / "cache"));
  const ProgramResult scenes =
      run_program({"train_flickr", "--check", "--run", p.folder / "s", "--set", "scenes.train=40", "scenes.val=4"});
  INFO(scenes.out << scenes.err);
  CHECK(scenes.code == 0);
}

TEST_CASE("a check counts all views of an image") {
  const SmallPhotographs p;
  const auto needed = [](const ProgramResult& r) {
    const std::string label = "the feature cache needs ";
    return std::stod(r.out.substr(r.out.find(label) + label.size()));
  };
  const ProgramResult one = p.train({"--check", "--cache", p.folder / "cache"});
  const ProgramResult four = p.train({"--check", "--cache", p.folder / "cache", "--set", "data.views=4"});
  INFO(one.out << four.out << four.err);
  REQUIRE(four.code == 0);
  CHECK(needed(four) == Approx(4 * needed(one)).epsilon(0.02));
  CHECK_THAT(four.out, Contains("to encode 12 images in 4 views once") && Contains("views       4 of each image"));
  const ProgramResult eleven = p.train({"--check", "--set", "data.views=11"});
  CHECK(eleven.code == 1);
  CHECK_THAT(eleven.err, Contains("data.views is 11, expected whole number, 1 .. 10"));
}

TEST_CASE("a check names what is wrong") {
  const SmallPhotographs p;
  SECTION("broken and missing images, all of them") {
    fs::resize_file(p.first_image, 100);
    fs::remove(p.images + "/train_000003.png");
    const ProgramResult r = p.train({"--check"});
    INFO(r.out << r.err);
    CHECK(r.code == 1);
    CHECK_THAT(r.out,
               Contains("train_000000.png") && Contains("train_000003.png") && Contains("2 images cannot be used"));
  }
  SECTION("one picture in two splits") {
    fs::copy_file(p.images + "/val_000001.png", p.first_image, fs::copy_options::overwrite_existing);
    const ProgramResult r = p.train({"--check"});
    CHECK(r.code == 1);
    CHECK_THAT(
        r.out,
        Contains("1 pictures are there twice, 1 in two splits: train_000000.png (train) and val_000001.png (val)"));
  }
  SECTION("pictures that are all alike: neither a deviation nor a difference") {
    for (const auto& entry : fs::directory_iterator(p.images))
      write_png(entry.path().string(), Image{64, 64, std::vector<std::uint8_t>(64 * 64 * 3, 255)});
    const ProgramResult r = p.train({"--check"});
    INFO(r.out << r.err);
    CHECK(r.code == 1);
    CHECK_THAT(r.out, Contains("it does not depend on the pictures") && Contains("PROBLEM     red, green, blue"));
  }
  SECTION("words of another language than the model's") {
    REQUIRE(p.train().code == 0);
    nlohmann::json captions = nlohmann::json::parse(slurp(p.captions));
    for (auto& image : captions["images"])
      for (auto& sentence : image["sentences"]) sentence["tokens"] = {"ein", "roter", "kreis"};
    const std::string other = p.folder.file("scenes/other.json", captions.dump());
    const ProgramResult r =
        run_program({"train_flickr", "--check", "--init", p.run + "/best.safetensors", "--captions", other});
    INFO(r.out << r.err);
    CHECK(r.code == 1);
    CHECK_THAT(r.out, Contains("100 % of the training words are unknown"));
  }
  SECTION("what a run could not begin with either") {
    const ProgramResult r = p.train({"--check", "--captions", p.folder / "none.json"});
    CHECK(r.code == 1);
    CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
  }
}
