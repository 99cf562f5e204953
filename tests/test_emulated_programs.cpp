// The programs with --device cuda, on the emulator: what they train and write is what the CPU trains and writes.

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "catch.h"
#include "encoder_numbers.h"
#include "glimpse/data/scenes.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/models/encoder/encoder.h"
#include "program.h"

using namespace glimpse;
using Json = nlohmann::json;

namespace {

/// As a user runs it, but the program that is linked with the emulator.
ProgramResult run_emulated(std::vector<std::string> arguments) {
  arguments[0] = "../tests/emulated/" + arguments[0];
  const ProgramResult result = run_program(arguments);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  return result;
}

/// Trains for three steps, and one epoch, into `run`.
void train_on(const std::string& device, const std::string& run, const std::string& matmul = "f32") {
  run_emulated({"train_flickr",
                "--run",
                run,
                "--device",
                device,
                "--matmul",
                matmul,
                "--epochs",
                "1",
                "--batch",
                "8",
                "--threads",
                "1",
                "--set",
                "scenes.train=4",
                "scenes.val=2",
                "scenes.test=2",
                "decoder.hidden=24",
                "decoder.embedding=16",
                "decoder.attention_size=16",
                "data.views=3",
                "training.log_every=1",
                "training.warmup_steps=2"});
}

/// The numbers of `key` in the lines of a log that have it.
std::vector<double> logged(const std::string& log, const std::string& key) {
  std::vector<double> values;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);)
    if (const Json json = Json::parse(line); json.contains(key)) values.push_back(json.at(key).get<double>());
  return values;
}

void check_near(const std::vector<double>& expected, const std::vector<double>& found, double relative) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("number " << i << ": " << expected[i] << " on the CPU, " << found[i] << " on the device");
    CHECK(std::abs(found[i] - expected[i]) <= relative * std::abs(expected[i]));
  }
}

}  // namespace

TEST_CASE("training, evaluation and resuming on the device give the CPU's results") {
  const ScratchFolder scratch;
  const std::string cpu = scratch / "cpu", cuda = scratch / "cuda";
  train_on("cpu", cpu);
  train_on("cuda", cuda);
  const std::string expected = slurp(cpu + "/log.jsonl"), found = slurp(cuda + "/log.jsonl");
  REQUIRE(logged(expected, "gradient_norm").size() == 3);
  for (const std::string key : {"loss", "attention_penalty", "gradient_norm", "train_loss", "val_loss"}) {
    INFO(key);
    check_near(logged(expected, key), logged(found, key), 1e-4);
  }
  CHECK(logged(found, "val_top5") == logged(expected, "val_top5"));

  // One model, captioned on both.
  for (const std::string device : {"cpu", "cuda"})
    run_emulated({"evaluate", "--model", cpu + "/best.safetensors", "--split", "val", "--beam", "3", "--device", device,
                  "--threads", "1", "--out", scratch / device + ".json"});
  CHECK(slurp(scratch / "cuda.json") == slurp(scratch / "cpu.json"));

  // Its captions for files, and features of those.
  export_scenes(SceneDataset(1, {2, 2, 2}), scratch / "scenes");
  const std::string images = scratch / "scenes/images", weights = scratch / "weights.safetensors";
  Encoder encoder = make_encoder({.name = "squeezenet1_1"});
  write_safetensors(weights, named_tensors(encoder));
  std::vector<std::string> said;
  std::vector<Tensor> features;
  for (const std::string device : {"cpu", "cuda"}) {
    said.push_back(run_emulated({"caption", "--model", cpu + "/best.safetensors", "--device", device, images}).out);
    const std::string out = scratch / device + ".safetensors";
    run_emulated({"encode", "--encoder", "squeezenet1_1", "--stage", "features.4", "--size", "40", "--f32", "--weights",
                  weights, "--out", out, "--device", device, images});
    features.push_back(read_safetensors(out).tensors[0].tensor);
  }
  CHECK(said[0].find("val_000001.png") != std::string::npos);
  CHECK(said[1] == said[0]);
  CHECK(features[0].size(0) == 6);
  CHECK(test::relative_error(features[1], features[0]) < 1e-5);

  // A run goes on where it stopped: its state came from the device and goes back there.
  const ProgramResult resumed = run_emulated({"train_flickr", "--run", cuda, "--resume", "--epochs", "2"});
  CHECK(resumed.out.find("resuming") != std::string::npos);
  CHECK(logged(slurp(cuda + "/log.jsonl"), "train_loss").size() == 2);
}

TEST_CASE("captions and words that training draws on the device are those that it draws on the CPU") {
  const ScratchFolder scratch;
  train_on("cpu", scratch / "first");
  for (const std::string device : {"cpu", "cuda"})
    run_emulated({"train_flickr",
                  "--init",
                  scratch / "first/best.safetensors",
                  "--recipe",
                  "self-critical",
                  "--run",
                  scratch / device,
                  "--device",
                  device,
                  "--matmul",
                  "f32",
                  "--epochs",
                  "2",
                  "--batch",
                  "4",
                  "--threads",
                  "1",
                  "--set",
                  "self_critical.samples=2",
                  "training.learning_rate=5e-5",
                  "training.schedule=constant",
                  "encoder.learning_rate=0",
                  "validation.max_words=6",
                  "scheduled_sampling.limit=0.5",
                  "scheduled_sampling.rise=0.5",
                  "scheduled_sampling.every=1",
                  "training.log_every=1"});
  const std::string expected = slurp(scratch / "cpu/log.jsonl"), found = slurp(scratch / "cuda/log.jsonl");
  REQUIRE(logged(expected, "reward").size() == 4);
  CHECK(logged(expected, "scheduled_sampling").size() == 2);
  double rewards = 0;
  for (const double reward : logged(expected, "reward")) rewards += reward;
  CHECK(rewards > 0);
  for (const std::string key : {"reward", "loss", "gradient_norm"}) {
    INFO(key);
    check_near(logged(expected, key), logged(found, key), 1e-4);
  }
}

TEST_CASE("training with rounded factors goes nearly as with exact ones") {
  const ScratchFolder scratch;
  train_on("cuda", scratch / "f32");
  train_on("cuda", scratch / "tf32", "tf32");
  const auto exact = logged(slurp(scratch / "f32/log.jsonl"), "loss"),
             rounded = logged(slurp(scratch / "tf32/log.jsonl"), "loss");
  check_near(exact, rounded, 1e-2);
  CHECK(exact != rounded);
  CHECK(slurp(scratch / "tf32/config.json").find("\"matmul\": \"tf32\"") != std::string::npos);
}
