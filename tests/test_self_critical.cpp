// Training by the scores of captions that the model draws: the scores, and that a run gets better by them.

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "catch.h"
#include "glimpse/data/cider_d.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/models/training/self_critical.h"
#include "resumed_run.h"
#include "scratch_folder.h"
#include "small_run.h"

using namespace glimpse;

namespace {

CaptionWords words_of(const std::string& text) {
  CaptionWords words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

TEST_CASE("CIDEr-D of one caption is that of the caption among all") {
  const std::vector<std::vector<CaptionWords>> references{
      {words_of("a red dog runs on grass"), words_of("the dog runs")},
      {words_of("two cats sleep on a sofa"), words_of("cats on a red sofa")},
      {words_of("a man rides a horse"), words_of("a man on a horse in the sun")}};
  const std::vector<CaptionWords> captions{
      words_of("a dog runs on the grass grass"), words_of("zebras sleep on zebras zebras"), {}};
  const Scores scores = score_captions(captions, references);
  CiderD cider(references);
  for (int again = 0; again < 3; ++again)
    for (std::size_t i = 0; i < captions.size(); ++i)
      CHECK(cider(i, captions[i]) == Approx(scores.of_image(i, "cider")).epsilon(1e-12));
  CHECK_THROWS_AS(CiderD(std::vector<std::vector<CaptionWords>>(1)), Error);
}

TEST_CASE("with <end> as a word a caption that breaks off gains nothing") {
  std::vector<std::vector<CaptionWords>> references{
      {words_of("a man with a hat <end>"), words_of("a man with a dog <end>")},
      {words_of("two dogs <end>")},
      {words_of("a red car <end>")}};
  CiderD cider(references);
  CHECK(cider(0, words_of("a man with a")) < cider(0, words_of("a man with a hat <end>")));
  for (auto& of_image : references)
    for (CaptionWords& reference : of_image) reference.pop_back();
  CiderD without(references);
  const double lost = without(0, words_of("a man with a hat")) - without(0, words_of("a man with a"));
  CHECK(cider(0, words_of("a man with a hat <end>")) - cider(0, words_of("a man with a")) > 1.1 * lost);
}

TEST_CASE("each step draws captions of its own, the same from the same random numbers") {
  Config config;
  config.encoder.name = "scratch";
  config.encoder.image_size = 32;
  config.decoder.hidden = config.decoder.embedding = config.decoder.attention_size = 8;
  config.training.objective = Objective::self_critical;
  const Dataset scenes(SceneDataset(1, {6, 1, 1}));
  const ImageList images = scenes.require_split("train");
  Generator generator(1);
  const CaptionModel model = make_model(config, Vocabulary::build(images, 1, scenes.captions().rule), generator);
  const Tensor features = empty({6, 4, model.decoder.config.channels});
  fill_normal(features, 0, 1, generator);
  SelfCritical self_critical(model, images);
  const Generator::State before = generator.state();
  const auto loss = [&] { return self_critical(images, features, generator).loss.item(); };
  const double first = loss(), second = loss();
  CHECK(first != second);
  generator.set_state(before);
  CHECK(loss() == first);
  CHECK(loss() == second);
}

TEST_CASE("a run by what the model draws raises the scores of what it draws") {
  const ScratchFolder folder;
  std::vector<std::string> first = small_training(folder / "first", 12);
  first.insert(first.end(), {"scenes.train=60", "training.schedule=constant"});
  REQUIRE(run_program(first).code == 0);
  const auto command = [&](const std::string& run, int epochs, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train_flickr",
                                       "--init",
                                       folder / "first/best.safetensors",
                                       "--recipe",
                                       "self-critical",
                                       "--run",
                                       run,
                                       "--threads",
                                       "1",
                                       "--epochs",
                                       std::to_string(epochs),
                                       "--set",
                                       "training.batch=100",
                                       "training.learning_rate=1e-3",
                                       "training.schedule=constant",
                                       "encoder.learning_rate=0",
                                       "training.clip_value=0",
                                       "training.clip_norm=1",
                                       "training.log_every=1",
                                       "training.checkpoint_every=1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };

  SECTION("more and more") {
    const std::string run = folder / "better";
    const ProgramResult r = run_program(command(run, 12, {"self_critical.cross_entropy=0"}));
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE_THAT(r.out, Contains("bad endings"));
    std::vector<double> rewards;
    for (const nlohmann::json& line : log_of(run))
      if (line.contains("reward")) rewards.push_back(line["reward"]);
    REQUIRE(rewards.size() == 36);  // 60 images, 20 a batch
    const auto mean = [&](std::size_t from) { return std::accumulate(&rewards[from], &rewards[from] + 9, 0.0) / 9; };
    CHECK(mean(27) > 1.1 * mean(0));
  }
  SECTION("with greedy captions as the baseline") {
    const ProgramResult r =
        run_program(command(folder / "greedy", 1, {"self_critical.baseline=greedy", "self_critical.samples=1"}));
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE(log_of(folder / "greedy")[0]["reward"] > 0);
  }
  SECTION("and goes on to the same bits") {
    REQUIRE(run_program(command(folder / "whole", 2, {})).code == 0);
    const std::string run = folder / "stopped";
    const ProgramResult part = run_program(
        command(run, 2, {}), {.signal_after_ms = 1, .signal = SIGINT, .wait_for = run + "/last.safetensors"});
    REQUIRE(part.code == 130);
    const ProgramResult rest = run_program({"train_flickr", "--run", run, "--resume"});
    INFO(rest.out << rest.err);
    REQUIRE(rest.code == 0);
    require_equal_runs(folder / "whole", run);
  }
  SECTION("but not from nothing, nor from one caption an image") {
    const ProgramResult nothing = run_program({"train_flickr", "--recipe", "self-critical", "--run", folder / "bad"});
    CHECK(nothing.code == 1);
    CHECK_THAT(nothing.err, Contains("--init MODEL"));
    const ProgramResult one = run_program(command(folder / "bad", 1, {"self_critical.samples=1"}));
    CHECK(one.code == 1);
    CHECK_THAT(one.err, Contains("leave-one-out needs self_critical.samples of at least 2"));
    CHECK_FALSE(std::filesystem::exists(folder / "bad"));
  }
}
