// Checkpoints keep every bit of where a run stands.

#include "catch.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/models/training/checkpoint.h"
#include "scratch_folder.h"

using namespace glimpse;

TEST_CASE("a checkpoint comes back bit for bit") {
  const ScratchFolder folder;
  TrainingState state;
  state.step = 12345;
  state.epoch = 3;
  state.position = 17;
  state.finished = true;
  state.dropout = {0xffffffffffffffffu, 0x123456789abcdef0u};
  state.plateau = {0.1, 4, 2, 1.0 / 3.0};
  state.best_score = 0.1 + 0.2;
  state.best_epoch = 2;
  state.stale_epochs = 1;
  state.loss_sum = 1e-300;
  state.loss_words = 99;
  state.skipped_steps = 5;
  state.seconds = 1.5;
  state.log_bytes = 4096;
  state.inputs = {"captions \"with quotes\"", "images", "weights", "init"};
  Tensor weights = empty({3, 5});
  Generator generator(2);
  fill_normal(weights, 0, 1, generator);
  write_checkpoint(folder / "last.safetensors", state, with_prefix("decoder.", {{"w", weights, true}}));

  const Checkpoint back = read_checkpoint(folder / "last.safetensors");
  REQUIRE(back.state.step == state.step);
  REQUIRE(back.state.epoch == state.epoch);
  REQUIRE(back.state.position == state.position);
  REQUIRE(back.state.finished);
  REQUIRE(back.state.dropout.seed == state.dropout.seed);
  REQUIRE(back.state.dropout.position == state.dropout.position);
  REQUIRE(back.state.plateau.best == state.plateau.best);
  REQUIRE(back.state.plateau.seen == 4);
  REQUIRE(back.state.plateau.stale == 2);
  REQUIRE(back.state.plateau.factor == state.plateau.factor);
  REQUIRE(back.state.best_score == state.best_score);
  REQUIRE(back.state.best_epoch == 2);
  REQUIRE(back.state.stale_epochs == 1);
  REQUIRE(back.state.loss_sum == 1e-300);
  REQUIRE(back.state.loss_words == 99);
  REQUIRE(back.state.skipped_steps == 5);
  REQUIRE(back.state.seconds == 1.5);
  REQUIRE(back.state.log_bytes == 4096);
  REQUIRE(back.state.inputs.captions == state.inputs.captions);
  REQUIRE(back.state.inputs.images == "images");
  REQUIRE(back.state.inputs.weights == "weights");
  const std::vector<NamedTensor> tensors = under_prefix("decoder.", back.tensors);
  REQUIRE(tensors.size() == 1);
  REQUIRE(tensors[0].name == "w");
  REQUIRE(tensors[0].tensor.to_vector<float>() == weights.to_vector<float>());
  REQUIRE(under_prefix("encoder.", back.tensors).empty());
}

TEST_CASE("what is no checkpoint is refused by name") {
  const ScratchFolder folder;
  const std::string path = folder / "x.safetensors";
  write_safetensors(path, {{"w", zeros({2}), true}});
  REQUIRE_THROWS_WITH(read_checkpoint(path), Contains("x.safetensors: no checkpoint"));
  write_safetensors(path, {{"w", zeros({2}), true}}, {{"format", "glimpse-checkpoint"}, {"state", "{\"step\": 1"}});
  REQUIRE_THROWS_WITH(read_checkpoint(path), Contains("damaged checkpoint"));
  write_safetensors(path, {{"w", zeros({2}), true}}, {{"format", "glimpse-checkpoint"}, {"state", "{\"step\": 1}"}});
  REQUIRE_THROWS_WITH(read_checkpoint(path), Contains("damaged checkpoint") && Contains("epoch"));
}
