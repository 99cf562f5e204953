// The configuration: JSON and back, single values, recipes, and what is said about mistakes.

#include <algorithm>
#include <filesystem>

#include "catch.h"
#include "error_of.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/models/captioner/config.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

TEST_CASE("every value survives JSON") {
  Config config;
  config.recipe = "mine";
  config.data.images = "with \"quotes\" and \xc3\xa4";
  config.data.min_count = 7;
  config.data.skip_bad = true;
  config.scenes.seed = 9'000'000'000'000'000;
  config.encoder.learning_rate = 1.0 / 3.0;
  config.decoder.attention = AttentionKind::none;
  config.loss.label_smoothing = 0.1;
  config.training.epochs = 123;
  config.validation.beam = 4;
  const Config back = config_from_json(config_to_json(config), "test");
  REQUIRE(config_differences(config, back).empty());
  REQUIRE(back.encoder.learning_rate == 1.0 / 3.0);
  REQUIRE(back.scenes.seed == 9'000'000'000'000'000);
  REQUIRE(config_differences(config, Config{}).size() == 10);
}

TEST_CASE("each key can be set alone, and is written") {
  for (const ConfigKey& key : config_keys()) {
    CAPTURE(key.key);
    Config config;
    const std::string value = key.valid == "true, false"                  ? "true"
                              : key.valid == "text"                       ? "some text"
                              : key.valid.find("..") != std::string::npos ? "1"
                                                                          : key.valid.substr(key.valid.rfind(' ') + 1);
    if (key.key.ends_with("dropout") || key.key == "training.momentum" || key.key == "training.ema" ||
        key.key == "loss.label_smoothing")
      set_config_value(config, key.key, "0.25", "test");
    else if (key.key == "encoder.image_size")
      set_config_value(config, key.key, "64", "test");
    else
      set_config_value(config, key.key, value, "test");
    const Config back = config_from_json(config_to_json(config), "test");
    REQUIRE(config_differences(config, back).empty());
  }
}

TEST_CASE("absent keys keep the defaults, notes are skipped") {
  Config defaults;
  defaults.decoder.hidden = 77;
  const Config config = config_from_json(R"({"about": ["text"], "decoder": {"embedding": 5}})", "test", defaults);
  REQUIRE(config.decoder.embedding == 5);
  REQUIRE(config.decoder.hidden == 77);
}

TEST_CASE("mistakes are named with what would be right") {
  Config config;
  const std::string unknown = error_of([&] { set_config_value(config, "decoder.hiden", "5", "--set"); });
  REQUIRE_THAT(unknown, Contains("no value named 'decoder.hiden'") && Contains("decoder.hidden"));
  const std::string choice = error_of([&] { set_config_value(config, "decoder.score", "gelu", "--set"); });
  REQUIRE_THAT(choice, Contains("decoder.score") && Contains("gelu") && Contains("tanh, relu"));
  REQUIRE_THAT(error_of([&] { set_config_value(config, "training.epochs", "0", "--epochs 0"); }),
               Contains("--epochs 0: training.epochs is 0") && Contains("1 .."));
  REQUIRE_THAT(error_of([&] { set_config_value(config, "training.epochs", "2.5", "x"); }), Contains("whole number"));
  REQUIRE_THAT(error_of([&] { set_config_value(config, "training.epochs", "ten", "x"); }), Contains("\"ten\""));
  REQUIRE_THAT(error_of([&] { set_config_value(config, "training.learning_rate", "nan", "x"); }), Contains("expected"));
  REQUIRE_THAT(error_of([&] { set_config_value(config, "data.skip_bad", "1", "x"); }), Contains("true, false"));
  REQUIRE_THAT(error_of([] { config_from_json(R"({"decoder": {"hidden": 5)", "my.json"); }),
               Contains("my.json: JSON ends in the middle"));
  REQUIRE_THAT(error_of([] { config_from_json("[1]", "my.json"); }), Contains("my.json: expected a JSON object"));
  REQUIRE_THAT(error_of([] { config_from_json(R"({"decoders": {"hidden": 5}})", "my.json"); }),
               Contains("my.json") && Contains("decoders.hidden"));
  REQUIRE(config_differences(config, Config{}).empty());
}

TEST_CASE("text values take numbers as text") {
  Config config;
  set_config_value(config, "data.images", "2014", "test");
  REQUIRE(config.data.images == "2014");
}

TEST_CASE("the built-in recipes are those of the folder and name themselves") {
  const std::vector<std::string> names = recipe_names();
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(GLIMPSE_SOURCE "/recipes"))
    files.push_back(entry.path().stem().string());
  std::sort(files.begin(), files.end());
  REQUIRE(names == files);
  for (const char* expected : {"default", "paper-soft", "scenes", "tutorial"})
    REQUIRE(std::find(names.begin(), names.end(), expected) != names.end());
  for (const std::string& name : names) {
    CAPTURE(name);
    const std::string path = std::string(GLIMPSE_SOURCE) + "/recipes/" + name + ".json";
    REQUIRE(recipe_text(name) == read_text_file(path));
    const Config config = read_recipe(name);
    REQUIRE(config.recipe == name);
    REQUIRE(read_recipe(path).recipe == path);
  }
  REQUIRE_THAT(error_of([] { read_recipe("tutorials"); }),
               Contains("unknown recipe 'tutorials'") && Contains(fmt::format("{}", fmt::join(names, ", "))));
  REQUIRE_THAT(error_of([] { read_recipe("/nowhere/x.json"); }), Contains("/nowhere/x.json"));
}

TEST_CASE("recipes say what their names promise") {
  const Config tutorial = read_recipe("tutorial"), paper = read_recipe("paper-soft");
  REQUIRE(tutorial.decoder.score == Activation::relu);
  REQUIRE(tutorial.decoder.gate == GateKind::vector);
  REQUIRE(tutorial.decoder.output == OutputLayer::linear);
  REQUIRE(tutorial.loss.reduction == Reduction::tutorial);
  REQUIRE(paper.decoder.score == Activation::tanh);
  REQUIRE(paper.decoder.gate == GateKind::scalar);
  REQUIRE(paper.decoder.output == OutputLayer::deep);
  REQUIRE(paper.decoder.initial_state == InitialState::tanh);
  REQUIRE(paper.loss.reduction == Reduction::paper);
  REQUIRE(paper.training.optimizer == OptimizerKind::rmsprop);
  REQUIRE(read_recipe("scenes").encoder.name == "scratch");
  const Config adaptive = read_recipe("sentinel"), show_and_tell = read_recipe("show-and-tell");
  const Config hard = read_recipe("paper-hard");
  REQUIRE(hard.decoder.attention == AttentionKind::hard);
  REQUIRE(hard.loss.doubly_stochastic == 0);
  REQUIRE(hard.loss.reinforce == 0.1);
  REQUIRE(adaptive.decoder.attention == AttentionKind::sentinel);
  REQUIRE(adaptive.decoder.projection == adaptive.decoder.hidden);
  REQUIRE(adaptive.training.keep_best == "cider");
  REQUIRE(show_and_tell.decoder.attention == AttentionKind::none);
  REQUIRE(show_and_tell.training.optimizer == OptimizerKind::sgd);
  REQUIRE(show_and_tell.training.momentum == 0);
}

TEST_CASE("a printed configuration is a recipe") {
  const ScratchFolder folder;
  Config config = read_recipe("tutorial");
  config.decoder.hidden = 99;
  const std::string path = folder.file("mine.json", config_to_json(config));
  Config read = read_recipe(path);
  read.recipe = config.recipe;
  REQUIRE(config_differences(config, read).empty());
}

TEST_CASE("what was probably meant is suggested") {
  const auto message = [](const std::string& key, const std::string& value) {
    Config config;
    return glimpse::test::error_of([&] { set_config_value(config, key, value, "--set"); });
  };
  CHECK_THAT(message("decoder.hiden", "3"),
             Contains("there is no value named 'decoder.hiden' (did you mean 'decoder.hidden'?); there are"));
  CHECK_THAT(message("training.optimizer", "adma"), Contains("did you mean 'adam'?"));
  CHECK_THAT(message("training.keep_best", "blue4"), Contains("did you mean 'bleu4'?"));
  CHECK_THAT(message("training.optimizer", "zebra"), !Contains("did you mean"));
  CHECK_THAT(glimpse::test::error_of([] { read_recipe("tutorail"); }), Contains("did you mean 'tutorial'?"));

  const std::vector<std::string> words{"--model", "--images", "--n-best", "--json"};
  CHECK(nearest("--modle", words) == "--model");
  CHECK(nearest("--image", words) == "--images");
  CHECK(nearest("--nbest", words) == "--n-best");
  CHECK(nearest("--jsno", words) == "--json");
  CHECK(nearest("--weights", words) == "");
  CHECK(nearest("", words) == "");
  CHECK(nearest(std::string(1'000'000, '-'), words) == "");
}
