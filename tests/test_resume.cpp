// A run that is killed at any instant and resumed ends with the weights of one that never stopped, bit for bit.

#include <filesystem>
#include <random>

#include "catch.h"
#include "glimpse/data/scenes.h"
#include "resumed_run.h"
#include "scratch_folder.h"
#include "small_run.h"

using namespace glimpse;
namespace fs = std::filesystem;

namespace {

constexpr int epochs = 6;

std::vector<std::string> resumed(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin() + 1, "--resume");
  return arguments;
}

}  // namespace

TEST_CASE("kill -9 at ten random instants changes nothing") {
  const ScratchFolder folder;
  const ProgramResult whole = run_program(small_training(folder / "whole", epochs));
  INFO(whole.err);
  REQUIRE(whole.code == 0);

  std::mt19937 random(20261122);
  const std::string run = folder / "killed";
  int kills = 0, in_training = 0;
  // Early instants too, when the folder is being made; later ones lie anywhere in the run's time.
  for (int attempt = 0; attempt < 40 && kills < 10; ++attempt) {
    const int longest = static_cast<int>(1000 * whole.seconds) / (kills < 2 ? 4 : 2);
    const int after = std::uniform_int_distribution<int>(1, std::max(longest, 2))(random);
    const bool begun = fs::exists(run + "/config.json");
    in_training += fs::exists(run + "/last.safetensors");
    const std::vector<std::string> arguments = small_training(run, epochs);
    const ProgramResult part = run_program(begun ? resumed(arguments) : arguments, {.signal_after_ms = after});
    if (part.signal != SIGKILL) {
      INFO(part.out << part.err);
      REQUIRE(part.code == 0);
      fs::remove_all(run);  // it came to its end: once more from the beginning
      continue;
    }
    ++kills;
  }
  REQUIRE(kills == 10);
  REQUIRE(in_training > 0);
  const ProgramResult rest = run_program(resumed(small_training(run, epochs)));
  INFO(rest.out << rest.err);
  REQUIRE(rest.code == 0);
  require_equal_runs(folder / "whole", run);
}

TEST_CASE("every kind of decoder goes on to the same bits") {
  const std::vector<std::vector<std::string>> kinds = {
      {"decoder.projection=20", "decoder.projection_dropout=0.3", "decoder.embedding_dropout=0.2", "decoder.tied=true",
       "decoder.output=deep"},
      {"decoder.attention=hard"},
      {"decoder.attention=sentinel", "decoder.projection=20"},
      {"decoder.attention=none"}};
  for (const std::vector<std::string>& kind : kinds) {
    CAPTURE(kind);
    const ScratchFolder folder;
    const auto training = [&](const std::string& name) {
      std::vector<std::string> arguments = small_training(folder / name, 2);
      arguments.insert(arguments.end(), kind.begin(), kind.end());
      return arguments;
    };
    const ProgramResult whole = run_program(training("whole"));
    INFO(whole.err);
    REQUIRE(whole.code == 0);
    const std::string run = folder / "killed";
    const ProgramResult part =
        run_program(training("killed"), {.signal_after_ms = 1, .wait_for = run + "/last.safetensors"});
    REQUIRE(part.signal == SIGKILL);
    REQUIRE(run_program(resumed(training("killed"))).code == 0);
    require_equal_runs(folder / "whole", run);
  }
}

TEST_CASE("Ctrl-C writes a checkpoint, says how to go on, and going on changes nothing") {
  const ScratchFolder folder;
  const std::string run = folder / "stopped";
  const ProgramResult whole = run_program(small_training(folder / "whole", epochs));
  REQUIRE(whole.code == 0);
  ProgramResult part;
  for (const int signal : {SIGINT, SIGTERM}) {
    fs::remove_all(run);
    part = run_program(small_training(run, epochs),
                       {.signal_after_ms = 1, .signal = signal, .wait_for = run + "/last.safetensors"});
    INFO(part.out << part.err);
    REQUIRE(part.signal == 0);
    REQUIRE(part.code == 130);
    REQUIRE_THAT(part.out, Contains("to go on: ") && Contains("train_flickr --run " + run + " --resume"));
  }
  const ProgramResult rest = run_program({"train_flickr", "--run", run, "--resume"});
  INFO(rest.out << rest.err);
  REQUIRE(rest.code == 0);
  REQUIRE_THAT(rest.out, Contains("resuming"));
  require_equal_runs(folder / "whole", run);
}

TEST_CASE("a run is resumed as it was begun") {
  const ScratchFolder folder;
  const std::string run = folder / "run";
  REQUIRE(run_program(small_training(run, 1)).code == 0);
  SECTION("other values are refused by name") {
    const ProgramResult r = run_program({"train_flickr", "--run", run, "--resume", "--set", "decoder.hidden=25"});
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains("decoder.hidden: 24, not 25"));
  }
  SECTION("another recipe too") {
    const ProgramResult r = run_program({"train_flickr", "--run", run, "--resume", "--recipe", "tutorial"});
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains("recipe scenes"));
  }
  SECTION("a finished run has nothing left, and goes on when it gets more epochs") {
    const std::string before = slurp(run + "/best.safetensors");
    const ProgramResult again = run_program({"train_flickr", "--run", run, "--resume"});
    REQUIRE(again.code == 0);
    REQUIRE_THAT(again.out, Contains("nothing is left to train"));
    REQUIRE(slurp(run + "/best.safetensors") == before);
    const ProgramResult more = run_program({"train_flickr", "--run", run, "--resume", "--epochs", "2"});
    INFO(more.err);
    REQUIRE(more.code == 0);
    REQUIRE_THAT(more.out, Contains("epoch  2/2"));
  }
}

TEST_CASE("an epoch of several passes goes on from the middle of any of them") {
  const ScratchFolder folder;
  const auto command = [&](const std::string& run) {
    std::vector<std::string> arguments = small_training(run, 2);
    arguments.push_back("training.epoch_steps=20");  // three passes of eight steps
    return arguments;
  };
  REQUIRE(run_program(command(folder / "whole")).code == 0);
  REQUIRE(log_of(folder / "whole").back()["step"] == 48);
  const std::string run = folder / "stopped";
  const auto stop = [&](std::vector<std::string> arguments, const std::string& file, int after) {
    return run_program(std::move(arguments), {.signal_after_ms = after, .signal = SIGINT, .wait_for = file});
  };
  ProgramResult part = stop(command(run), run + "/last.safetensors", 1);
  for (int stops = 0; part.code == 130 && stops < 4; ++stops)
    part = stop(resumed(command(run)), run + "/config.json", 60);
  if (part.code == 130) part = run_program(resumed(command(run)));
  INFO(part.out << part.err);
  REQUIRE(part.code == 0);
  require_equal_runs(folder / "whole", run);
}

TEST_CASE("views of images are drawn on as they would have been") {
  for (const char* grouping : {"training.grouping=length", "training.grouping=image"}) {
    const ScratchFolder folder;
    const auto command = [&](const std::string& run) {
      std::vector<std::string> arguments = small_training(run, 2);
      for (const char* value : {"data.views=6", "training.checkpoint_every=1", grouping}) arguments.push_back(value);
      return arguments;
    };
    const ProgramResult whole = run_program(command(folder / "whole"));
    INFO(whole.out << whole.err);
    REQUIRE(whole.code == 0);
    REQUIRE_THAT(whole.out, Contains("views       6 of each image to train on; ") && Contains("see no mirror image: "));
    const std::string run = folder / "stopped";
    const ProgramResult part =
        run_program(command(run), {.signal_after_ms = 1, .signal = SIGINT, .wait_for = run + "/last.safetensors"});
    REQUIRE(part.code == 130);
    REQUIRE(run_program(resumed(command(run))).code == 0);
    require_equal_runs(folder / "whole", run);
    std::vector<std::string> other = small_training(folder / "one view", 2);
    other.push_back(grouping);
    REQUIRE(run_program(other).code == 0);
    CHECK(log_of(folder / "one view")[0]["loss"] != log_of(run)[0]["loss"]);
  }
}

TEST_CASE("words are drawn in training on as they would have been, and none before their time") {
  const ScratchFolder folder;
  const auto command = [&](const std::string& run, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = small_training(run, 3);
    arguments.insert(arguments.end(), {"training.checkpoint_every=1", "training.log_every=1"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  const std::vector<std::string> rising{"scheduled_sampling.limit=0.5", "scheduled_sampling.rise=0.3",
                                        "scheduled_sampling.every=1"};
  const ProgramResult whole = run_program(command(folder / "whole", rising));
  INFO(whole.out << whole.err);
  REQUIRE(whole.code == 0);
  const std::vector<nlohmann::json> log = log_of(folder / "whole");
  REQUIRE(log.size() == 27);  // eight steps and an epoch, three times
  CHECK_FALSE(log[7].contains("scheduled_sampling"));
  CHECK(log[9]["scheduled_sampling"] == 0.3);
  CHECK(log[18]["scheduled_sampling"] == 0.5);
  const std::string run = folder / "stopped";
  const ProgramResult part = run_program(
      command(run, rising), {.signal_after_ms = 1, .signal = SIGINT, .wait_for = run + "/best.safetensors"});
  REQUIRE(part.code == 130);
  REQUIRE(run_program(resumed(command(run, rising))).code == 0);
  require_equal_runs(folder / "whole", run);

  REQUIRE(run_program(command(folder / "plain", {})).code == 0);
  REQUIRE(run_program(command(folder / "later", {"scheduled_sampling.limit=1"})).code == 0);  // from epoch 6 on
  const std::vector<nlohmann::json> plain = log_of(folder / "plain");
  CHECK(log_of(folder / "later") == plain);
  CHECK(log[8] == plain[8]);
  CHECK(log[9]["loss"] != plain[9]["loss"]);
}

TEST_CASE("averages of weights, accumulated gradients and one cycle of the rate go on exactly") {
  const ScratchFolder folder;
  const auto command = [&](const std::string& run) {
    std::vector<std::string> arguments = small_training(run, 3);
    for (const char* value :
         {"training.ema=0.9", "training.accumulate=3", "training.schedule=one-cycle", "training.checkpoint_every=1"})
      arguments.push_back(value);
    return arguments;
  };
  const ProgramResult whole = run_program(command(folder / "whole"));
  INFO(whole.out << whole.err);
  REQUIRE(whole.code == 0);
  REQUIRE(log_of(folder / "whole").back()["step"] == 9);  // eight batches are three steps: 3, 3 and 2
  const std::string run = folder / "stopped", model = run + "/best.safetensors";
  const ProgramResult part =
      run_program(command(run), {.signal_after_ms = 1, .signal = SIGINT, .wait_for = run + "/last.safetensors"});
  REQUIRE(part.code == 130);
  REQUIRE(run_program(resumed(command(run))).code == 0);
  require_equal_runs(folder / "whole", run);

  SECTION("and the model holds both kinds of weights") {
    export_scenes(SceneDataset(1, {1, 1, 1}), folder / "scenes");
    const ProgramResult averaged = run_program({"caption", "--model", model, "--json", folder / "scenes/images"});
    const ProgramResult last = run_program({"caption", "--model", model, "--json", "--raw", folder / "scenes/images"});
    INFO(averaged.err << last.err);
    CHECK(averaged.code == 0);
    CHECK(last.code == 0);
    CHECK(averaged.out != last.out);  // in scores at least
    CHECK(run_program({"evaluate", "--model", model, "--raw"}).code == 0);
  }
  SECTION("which one without averages has not") {
    REQUIRE(run_program(small_training(folder / "plain", 1)).code == 0);
    const ProgramResult r = run_program({"evaluate", "--model", folder / "plain/best.safetensors", "--raw"});
    CHECK(r.code == 1);
    CHECK_THAT(r.err, Contains("has no raw weights: its run kept no averages (training.ema)"));
  }
}
