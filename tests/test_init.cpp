// Runs that begin with a model: what they take of it, what they refuse, and that they go on to the same bits.

#include <filesystem>
#include <map>

#include "catch.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/models/captioner/model.h"
#include "resumed_run.h"
#include "small_photographs.h"
#include "small_run.h"

using namespace glimpse;
namespace fs = std::filesystem;

namespace {

std::map<std::string, std::vector<float>> tensors_of(const std::string& model) {
  std::map<std::string, std::vector<float>> tensors;
  for (const NamedTensor& t : read_safetensors(model).tensors) tensors[t.name] = t.tensor.to_vector<float>();
  return tensors;
}

std::vector<std::string> small_init(const std::string& model, const std::string& run, int epochs,
                                    const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = small_training(run, epochs);
  arguments.insert(arguments.begin() + 1, {"--init", model});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("a run begins with the words and the weights of a model") {
  const ScratchFolder folder;
  REQUIRE(run_program(small_training(folder / "first", 1)).code == 0);
  const std::string model = folder / "first/best.safetensors";

  SECTION("which steps of length zero leave as they are") {
    const ProgramResult r = run_program(small_init(model, folder / "second", 1,
                                                   {"training.learning_rate=0", "encoder.learning_rate=0",
                                                    "encoder.train_batch_norm=false", "loss.reduction=paper"}));
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE_THAT(r.out, Contains("init        " + model + ": encoder, decoder and ") && Contains("those of the model"));
    REQUIRE(tensors_of(folder / "second/best.safetensors") == tensors_of(model));
    const Config config = model_config(folder / "second/best.safetensors");
    CHECK(config.loss.reduction == Reduction::paper);
    CHECK(config.training.init == model);
    CHECK(config.training.init_hash.size() == 32);
    CHECK(config.decoder.hidden == 24);
  }
  SECTION("and goes on to the same bits") {
    REQUIRE(run_program(small_init(model, folder / "whole", 3)).code == 0);
    const std::string run = folder / "stopped";
    const ProgramResult part = run_program(
        small_init(model, run, 3), {.signal_after_ms = 1, .signal = SIGINT, .wait_for = run + "/last.safetensors"});
    REQUIRE(part.code == 130);
    SECTION("wherever the model lies now") {
      fs::rename(model, folder / "moved.safetensors");
      const ProgramResult r =
          run_program({"train_flickr", "--run", run, "--resume", "--init", folder / "moved.safetensors"});
      INFO(r.out << r.err);
      REQUIRE(r.code == 0);
      CHECK(model_config(run + "/best.safetensors").training.init == folder / "moved.safetensors");
      for (const char* file : {"/best.safetensors", "/last.safetensors"})
        CHECK(tensors_of(run + file) == tensors_of(folder / "whole" + file));
    }
    SECTION("but not with another model") {
      REQUIRE(run_program(small_training(folder / "other", 2)).code == 0);
      const std::string other = folder / "other/best.safetensors";
      const ProgramResult r = run_program({"train_flickr", "--run", run, "--resume", "--init", other});
      REQUIRE(r.code == 1);
      REQUIRE_THAT(r.err, Contains("--init " + other + ": not the model that training.init_hash names"));
    }
  }
  SECTION("a recipe that names a model is one run again") {
    REQUIRE(run_program(small_init(model, folder / "a", 1)).code == 0);
    const ProgramResult r =
        run_program({"train_flickr", "--recipe", folder / "a/config.json", "--run", folder / "b", "--threads", "1"});
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE(tensors_of(folder / "a/best.safetensors") == tensors_of(folder / "b/best.safetensors"));
  }
  SECTION("and not with anything that does not fit") {
    const auto refused = [&](const std::string& init, const std::vector<std::string>& more, const std::string& text) {
      const ProgramResult r = run_program(small_init(init, folder / "refused", 1, more));
      INFO(r.out << r.err);
      CHECK(r.code == 1);
      CHECK_THAT(r.err, Contains(text));
      CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
      CHECK_FALSE(fs::exists(folder / "refused"));
    };
    refused(model, {"decoder.hidden=25"}, "--init " + model + ": the model has decoder.hidden: 24, not 25");
    refused(model, {"decoder.score=tanh"}, "decoder.score: \"relu\", not \"tanh\"");
    refused(model, {"encoder.weights=x.safetensors"}, "the model has the weights of its encoder");
    refused(model, {"training.init_hash=0123"}, "not the model that training.init_hash names");
    refused(folder / "nothing.safetensors", {}, "nothing.safetensors: ");
    refused(folder / "first/last.safetensors", {}, "a checkpoint to resume from");
  }
}

TEST_CASE("the end of an encoder is trained from a cache of what its beginning makes of the images") {
  const SmallPhotographs p;
  REQUIRE(p.train({"--recipe", "default", "--set", "training.ema=0"}).code == 0);  // else two sets of weights
  const std::string frozen = p.run + "/best.safetensors", cache = p.folder / "cache";
  const auto tune = [&](const std::string& run, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train_flickr", "--init",      frozen,    "--recipe", "fine-tune",
                                       "--fine-tune",  "features.12", "--cache", cache,      "--run",
                                       p.folder / run, "--threads",   "1",       "--epochs"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  const std::vector<std::string> short_epochs{"2", "--set", "training.epoch_steps=4", "training.checkpoint_every=1"};
  const ProgramResult whole = run_program(tune("whole", short_epochs));
  INFO(whole.out << whole.err);
  REQUIRE(whole.code == 0);
  REQUIRE_THAT(whole.out, Contains("trained from features.12 on; each image goes once through what comes before") &&
                              Contains("encoding 12 images"));
  const auto before = tensors_of(frozen), after = tensors_of(p.folder / "whole/best.safetensors");
  REQUIRE(before.size() == after.size());
  for (const auto& [name, values] : before) {
    CAPTURE(name);
    if (name.starts_with("encoder.")) CHECK((after.at(name) != values) == name.starts_with("encoder.features.12."));
  }

  SECTION("which is used again, and found when the run goes on") {
    const std::string run = p.folder / "stopped";
    const ProgramResult part = run_program(
        tune("stopped", short_epochs), {.signal_after_ms = 1, .signal = SIGINT, .wait_for = run + "/last.safetensors"});
    REQUIRE_THAT(part.out, Contains("is used again"));
    const ProgramResult rest = run_program({"train_flickr", "--run", run, "--resume"});
    INFO(rest.out << rest.err);
    REQUIRE(rest.code == 0);
    require_equal_runs(p.folder / "whole", run);
  }
  SECTION("in several views, of which validation sees the first") {
    std::vector<std::string> still = short_epochs;
    for (const char* value : {"training.learning_rate=0", "encoder.learning_rate=0"}) still.push_back(value);
    REQUIRE(run_program(tune("one", still)).code == 0);
    still.push_back("data.views=3");
    const ProgramResult three = run_program(tune("three", still));
    INFO(three.out << three.err);
    REQUIRE(three.code == 0);
    CHECK_THAT(three.out, Contains("there is none yet; encoding 12 images in 3 views") && Contains("36 images in "));
    CHECK_THAT(run_program(tune("again", short_epochs)).out, Contains("is used again"));  // both files are there
    const nlohmann::json one_view = log_of(p.folder / "one").back(), views = log_of(p.folder / "three").back();
    CHECK(views["val_loss"] == one_view["val_loss"]);
    CHECK(views["val_bleu"] == one_view["val_bleu"]);
    CHECK(views["train_loss"] != one_view["train_loss"]);

    std::vector<std::string> moving = short_epochs;
    moving.push_back("data.views=3");
    REQUIRE(run_program(tune("moving", moving)).code == 0);
    const std::string run = p.folder / "stopped";
    const ProgramResult part = run_program(
        tune("stopped", moving), {.signal_after_ms = 1, .signal = SIGINT, .wait_for = run + "/last.safetensors"});
    CHECK_THAT(part.out, Contains("is used again"));
    REQUIRE(run_program({"train_flickr", "--run", run, "--resume"}).code == 0);
    require_equal_runs(p.folder / "moving", run);
  }
  SECTION("and a model so trained can be frozen again") {
    const ProgramResult r =
        run_program({"train_flickr", "--init", p.folder / "whole/best.safetensors", "--cache", cache, "--run",
                     p.folder / "again", "--epochs", "1", "--set", "training.epoch_steps=0"});
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE_THAT(r.out, Contains("frozen: each image is encoded once") && Contains("encoding 12 images"));
  }
}
