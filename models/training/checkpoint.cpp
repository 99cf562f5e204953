#include "glimpse/models/training/checkpoint.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* format_name = "glimpse-checkpoint";

/// The one list of all values: writing and reading both follow it. Doubles keep every bit in JSON.
template <class S, class Visit>
void each_value(S& s, Visit&& v) {
  v("step", s.step);
  v("epoch", s.epoch);
  v("position", s.position);
  v("finished", s.finished);
  v("dropout_seed", s.dropout.seed);
  v("dropout_position", s.dropout.position);
  v("baseline", s.baseline);
  v("plateau_best", s.plateau.best);
  v("plateau_seen", s.plateau.seen);
  v("plateau_stale", s.plateau.stale);
  v("plateau_factor", s.plateau.factor);
  v("best_score", s.best_score);
  v("best_epoch", s.best_epoch);
  v("stale_epochs", s.stale_epochs);
  v("loss_sum", s.loss_sum);
  v("loss_words", s.loss_words);
  v("skipped_steps", s.skipped_steps);
  v("seconds", s.seconds);
  v("log_bytes", s.log_bytes);
  v("captions", s.inputs.captions);
  v("images", s.inputs.images);
  v("weights", s.inputs.weights);
  v("init", s.inputs.init);
}

}  // namespace

void write_checkpoint(const std::string& path, const TrainingState& state, const std::vector<NamedTensor>& tensors) {
  Json json;
  each_value(state, [&](const char* name, const auto& value) { json[name] = value; });
  write_safetensors(path, tensors, {{"format", format_name}, {"state", json.dump()}});
}

Checkpoint read_checkpoint(const std::string& path) {
  SafetensorsFile file = read_safetensors(path);
  check(file.metadata["format"] == format_name, "{}: no checkpoint that train_flickr has written", path);
  Checkpoint checkpoint;
  try {
    const nlohmann::json json = parse_json(file.metadata["state"], path + ": damaged checkpoint: state");
    each_value(checkpoint.state, [&](const char* name, auto& value) { json.at(name).get_to(value); });
  } catch (const Json::exception& e) {
    fail("{}: damaged checkpoint: {:.200}", path, e.what());
  }
  checkpoint.tensors = std::move(file.tensors);
  return checkpoint;
}

std::vector<NamedTensor> with_prefix(const std::string& prefix, std::vector<NamedTensor> tensors) {
  for (NamedTensor& tensor : tensors) tensor.name = prefix + tensor.name;
  return tensors;
}

std::vector<NamedTensor> under_prefix(const std::string& prefix, const std::vector<NamedTensor>& tensors) {
  std::vector<NamedTensor> result;
  for (const NamedTensor& tensor : tensors)
    if (tensor.name.starts_with(prefix))
      result.push_back({tensor.name.substr(prefix.size()), tensor.tensor, tensor.trainable});
  return result;
}

}  // namespace glimpse
