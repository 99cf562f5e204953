#include "glimpse/models/captioner/initial_model.h"

#include <algorithm>

#include "glimpse/data/feature_cache.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/text.h"

namespace glimpse {
namespace {

/// Values of encoder and decoder that a run may choose for a model that is there: how it is trained, and how weights
/// would be drawn that are read instead.
bool may_differ(const std::string& difference) {
  static const std::vector<std::string> keys{"encoder.weights",       "encoder.fine_tune", "encoder.train_batch_norm",
                                             "encoder.learning_rate", "decoder.weights",   "decoder.output_bias"};
  const std::string key = difference.substr(0, difference.find(':'));
  const bool structure = key.starts_with("encoder.") || key.starts_with("decoder.");
  return !structure || key.find("dropout") != std::string::npos ||
         std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

Config config_to_begin_with(const std::string& path, const Config& recipe) {
  const Config model = model_config(path);
  Config config = recipe;
  config.data = model.data;
  config.data.features = recipe.data.features;
  config.data.cache = recipe.data.cache;
  config.scenes = model.scenes;
  config.decoder = model.decoder;
  config.encoder = model.encoder;
  config.encoder.weights.clear();
  config.encoder.fine_tune = recipe.encoder.fine_tune;
  config.encoder.train_batch_norm = recipe.encoder.train_batch_norm;
  config.encoder.learning_rate = recipe.encoder.learning_rate;
  config.training.init = path;
  return config;
}

CaptionModel initial_model(const Config& config, std::string* note) {
  const std::string& path = config.training.init;
  const std::string hash = hash_file(path), &wanted = config.training.init_hash;
  check(wanted.empty() || wanted == hash, "--init {}: not the model that training.init_hash names", path);
  check(config.encoder.weights.empty(), "--init {}: the model has the weights of its encoder; without --weights", path);
  CaptionModel model = load_model(path);
  copy_tensors(model);  // a file that is overwritten must not end a run of hours
  std::vector<std::string> differences = config_differences(model.config, config);
  std::erase_if(differences, may_differ);
  check(differences.empty(), "--init {}: the model has {}", path, fmt::join(differences, "; "));
  const std::string recipe = model.config.recipe;
  model.config = config;
  model.config.training.init_hash = hash;
  if (model.encoder_source.empty()) model.encoder_source = hash;
  unfreeze(model);
  if (note)
    *note = fmt::format("{}: encoder, decoder and {} words of a run by recipe {}", path,
                        with_commas(model.vocabulary.size()), recipe);
  return model;
}

}  // namespace glimpse
