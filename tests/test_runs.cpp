// Runs as people and machines treat them: terminals that are gone, disks that are full, signals, a run begun again, and
// a run that must not go on.

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "catch.h"
#include "small_photographs.h"
#include "small_run.h"

using namespace glimpse;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// All files below a folder, and what they hold.
std::map<std::string, std::string> content_of(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[entry.path().string()] = slurp(entry.path().string());
  return files;
}

void require_whole_log(const std::string& run, int epochs) {
  std::istringstream log(slurp(run + "/log.jsonl"));
  int found = 0;
  for (std::string line; std::getline(log, line);) found += Json::parse(line).contains("val_loss");
  REQUIRE(found == epochs);
}

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.begin() + 1, more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("output that is lost is an error, and does not stop a run") {
  const ScratchFolder folder;
  const std::string run = folder / "run";
  SECTION("stdout is full") {
    const ProgramResult r = run_program(small_training(run, 1), {.out = "/dev/full"});
    INFO(r.err);
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains("train_flickr: stdout: output was lost: No space left on device"));
    require_whole_log(run, 1);
  }
  SECTION("stdout is closed: no file takes its place") {
    const ProgramResult r = run_program(small_training(run, 1), {.out = "closed"});
    INFO(r.err);
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains("output was lost"));
    require_whole_log(run, 1);
  }
  SECTION("stderr is full or closed") {
    for (const std::string err : {"/dev/full", "closed"}) {
      const ProgramResult r = run_program(with(small_training(run, 1), {"--overwrite"}), {.err = err});
      REQUIRE(r.code == 0);
      require_whole_log(run, 1);
    }
  }
  SECTION("every program says so, whatever it has to say") {
    for (const std::string program : {"train_flickr", "evaluate", "caption", "encode", "report"})
      for (const std::string option : {"--help", "--version"}) {
        CAPTURE(program, option);
        const ProgramResult r = run_program({program, option}, {.out = "/dev/full"});
        CHECK(r.code == 1);
        CHECK_THAT(r.err, Contains(program + ": stdout: output was lost"));
      }
    const ProgramResult keys = run_program({"train_flickr", "--keys"}, {.out = "/dev/full"});
    CHECK(keys.code == 1);
    CHECK_THAT(keys.err, Contains("output was lost"));
  }
  SECTION("captions and scores too") {
    REQUIRE(run_program(small_training(run, 1)).code == 0);
    export_scenes(SceneDataset(1, {1, 1, 1}), folder / "scenes");
    const std::string model = run + "/best.safetensors";
    for (const std::string out : {"/dev/full", "closed"}) {
      CHECK(run_program({"caption", "--model", model, folder / "scenes/images"}, {.out = out}).code == 1);
      CHECK(run_program({"evaluate", "--model", model}, {.out = out}).code == 1);
    }
  }
}

TEST_CASE("a lost terminal, a wish to end and a limit of file sizes stop a run as Ctrl-C does") {
  const ScratchFolder folder;
  const std::string run = folder / "run";
  SECTION("SIGHUP") {
    const ProgramResult r = run_program(
        small_training(run, 6), {.signal_after_ms = 1, .signal = SIGHUP, .wait_for = run + "/last.safetensors"});
    INFO(r.out << r.err);
    REQUIRE(r.code == 130);
    REQUIRE_THAT(r.out, Contains("--resume"));
  }
  SECTION("SIGHUP under nohup is nothing") {
    const ProgramResult r = run_program(
        small_training(run, 2),
        {.signal_after_ms = 1, .signal = SIGHUP, .wait_for = run + "/last.safetensors", .signals_ignored = true});
    REQUIRE(r.code == 0);
    require_whole_log(run, 2);
  }
  SECTION("a limit of file sizes names the file") {
    const ProgramResult r = run_program(small_training(run, 1), {.largest_file = 20'000});
    REQUIRE(r.signal == 0);
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains("last.safetensors: File too large"));
  }
}

TEST_CASE("a run that was killed before its first checkpoint is begun again by the same command") {
  const ScratchFolder folder;
  const std::string run = folder / "run";
  const std::vector<std::string> command = with(small_training(run, 1), {"--set", "training.checkpoint_every=8"});
  const ProgramResult killed = run_program(command, {.signal_after_ms = 0, .wait_for = run + "/config.json"});
  REQUIRE(killed.signal == SIGKILL);
  REQUIRE_FALSE(fs::exists(run + "/last.safetensors"));
  const ProgramResult again = run_program(command);
  INFO(again.out << again.err);
  REQUIRE(again.code == 0);
  require_whole_log(run, 1);
}

TEST_CASE("a resume that is refused changes nothing") {
  const SmallPhotographs p;
  REQUIRE(p.train().code == 0);
  const std::vector<std::string> resume{"train_flickr", "--run", p.run, "--resume", "--epochs", "2"};
  const auto require_refused = [&](const std::vector<std::string>& command, const std::string& why) {
    const auto before = content_of(p.run);
    const ProgramResult r = run_program(command);
    INFO(r.out << r.err);
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains(why));
    REQUIRE(content_of(p.run) == before);
  };
  SECTION("other pixels under the same names") {
    const std::string other = slurp(p.images + "/train_000001.png"), first = slurp(p.first_image);
    std::ofstream(p.first_image, std::ios::binary | std::ios::trunc) << other;
    require_refused(resume, "the images are not those that this run began with");
    std::ofstream(p.first_image, std::ios::binary | std::ios::trunc) << first;
    REQUIRE(run_program(resume).code == 0);
  }
  SECTION("other weights of the encoder") {
    EncoderOptions options;
    options.name = "squeezenet1_1";
    Generator generator(99);
    Encoder encoder = make_encoder(options, generator);
    write_safetensors(p.folder / "other.safetensors", named_tensors(encoder));
    require_refused(with(resume, {"--weights", p.folder / "other.safetensors"}), "the encoder's weights");
  }
  SECTION("other captions") {
    std::string text = slurp(p.captions);
    const std::size_t at = text.find("\"a\"");
    REQUIRE(at != std::string::npos);
    std::ofstream(p.captions, std::ios::trunc) << text.replace(at, 3, "\"b\"");
    require_refused(resume, "captions or vocabulary");
  }
  SECTION("without its checkpoint") {
    fs::remove(p.run + "/last.safetensors");
    require_refused(resume, "holds a model, but no checkpoint");
  }
}

TEST_CASE("names of images as people give them") {
  const SmallPhotographs p;
  const auto rename = [&](const std::string& from, const std::string& to) {
    std::string text = slurp(p.captions);
    const std::size_t at = text.find("\"" + from + "\"");
    REQUIRE(at != std::string::npos);
    std::ofstream(p.captions, std::ios::trunc) << text.replace(at + 1, from.size(), to);
  };
  SECTION("an image that is left out stays out when the run goes on") {
    rename("train_000000.png", "a: b.png");
    p.folder.file("scenes/images/a: b.png", "no photograph");
    REQUIRE(p.train({"--skip-bad"}).code == 0);
    REQUIRE_THAT(slurp(p.run + "/skipped.jsonl"), Contains("\"a: b.png\""));
    const ProgramResult r = run_program({"train_flickr", "--run", p.run, "--resume", "--epochs", "2"});
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
  }
  SECTION("names that lead out of the folder") {
    rename("train_000000.png", "../outside.png");
    fs::copy_file(p.first_image, p.folder / "scenes/outside.png");
    const ProgramResult r = p.train();
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains("'../outside.png' leads out of the folder of images"));
    REQUIRE_FALSE(fs::exists(p.run));
  }
  SECTION("a folder whose name has blanks: the next commands run as they stand") {
    const std::string spaced = p.folder / "my runs/it's one";
    const ProgramResult r = p.train({"--run", spaced});
    REQUIRE(r.code == 0);
    const std::size_t begin = r.out.find("next        ") + 12;
    const std::string command = r.out.substr(begin, r.out.find('\n', begin) - begin);
    INFO(command);
    REQUIRE(std::system((command + " > /dev/null").c_str()) == 0);
  }
}

TEST_CASE("evaluate leaves bad images out, and draws into its folder alone") {
  const SmallPhotographs p;
  REQUIRE(p.train().code == 0);
  const std::vector<std::string> evaluate{"evaluate",
                                          "--model",
                                          p.run + "/best.safetensors",
                                          "--images",
                                          p.images,
                                          "--captions",
                                          p.captions,
                                          "--split",
                                          "train",
                                          "--attention",
                                          p.folder / "out/maps",
                                          "--json",
                                          p.folder / "scores.json"};
  SECTION("--skip-bad") {
    std::ofstream(p.first_image, std::ios::trunc) << "no photograph";
    const ProgramResult refused = run_program(evaluate);
    REQUIRE(refused.code == 1);
    REQUIRE_THAT(refused.err, Contains("train_000000.png"));
    const ProgramResult r = run_program(with(evaluate, {"--skip-bad"}));
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE_THAT(r.out, Contains("skipped     train_000000.png"));
    const Json scores = Json::parse(slurp(p.folder / "scores.json"));
    REQUIRE(scores["images"] == 7);
    REQUIRE(scores["skipped"] == 1);
  }
  SECTION("folders in names") {
    fs::create_directory(p.images + "/sub");
    fs::rename(p.first_image, p.images + "/sub/train_000000.png");
    std::string text = slurp(p.captions);
    text.replace(text.find("train_000000.png"), 16, "sub/train_000000.png");
    std::ofstream(p.captions, std::ios::trunc) << text;
    const ProgramResult r = run_program(evaluate);
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE(fs::exists(p.folder / "out/maps/sub_train_000000.png"));
    for (const auto& entry : fs::directory_iterator(p.folder / "out")) REQUIRE(entry.path().filename() == "maps");
  }
}
