#include "glimpse/models/captioner/config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "glimpse/data/image_views.h"
#include "glimpse/data/metrics.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/io/text_file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // what is written keeps the order of the lists

/// What a value may be: one of `choices` where there are any, else in [low, high] for numbers.
struct Rule {
  double low = 0;
  double high = 0;
  std::vector<std::string> choices;
};
Rule any() { return {}; }
Rule one_of(std::vector<std::string> choices) { return {0, 0, std::move(choices)}; }
Rule between(double low, double high) { return {low, high, {}}; }

// The lists of all values, group by group: everything else in this file follows from them.

template <class C, class Visit>
void each_data_value(C& c, Visit&& v) {
  v("data.images", c.images, any(), "folder of photographs; empty: the built-in scenes");
  v("data.captions", c.captions, any(),
    "captions: Karpathy JSON, COCO JSON, a table (captions.txt, results.csv) or Flickr8k.token.txt");
  v("data.splits", c.splits, any(), "folder with the lists of a split, for caption files that name none");
  v("data.features", c.features, any(), "feature cache of a frozen encoder; empty: one in data.cache that fits");
  v("data.cache", c.cache, any(), "folder of feature caches that all runs share; empty: $XDG_CACHE_HOME/glimpse");
  v("data.words", c.words, one_of({"auto", "ascii", "unicode", "spaces"}),
    "what of raw captions is a word; auto: letters of every script, or what the file has cut");
  v("data.min_count", c.min_count, between(1, 1e6), "words that the training captions hold less often are <unk>");
  v("data.max_words", c.max_words, between(0, 1000), "training captions are cut to so many words; 0: never");
  v("data.views", c.views, between(1, most_views),
    "of an image to train on: 1 as it is; 2 also its mirror image; to 10 also 7/8 of its width and height from each "
    "corner (top left, bottom right, top right, bottom left) with the mirror image of each. One is drawn a caption, or "
    "an image where its captions are trained together");
  v("data.side_words", c.side_words, any(), "captions with one of these words are not trained with a mirror image");
  v("data.overfit", c.overfit, between(0, 1e6),
    "train and validate on so many images with one caption each, to see whether they are learnt by heart; 0: on all");
  v("data.skip_bad", c.skip_bad, any(), "leave out images that cannot be read instead of stopping");
  v("data.max_pixels", c.max_pixels, between(1, 4e9), "larger images cannot be read");
}

template <class C, class Visit>
void each_scene_value(C& c, Visit&& v) {
  v("scenes.seed", c.seed, between(0, 9e15), "of the drawings: another seed, other scenes");
  v("scenes.train", c.train, between(1, 1e6), "rendered training images");
  v("scenes.val", c.val, between(1, 1e5), "rendered validation images");
  v("scenes.test", c.test, between(1, 1e5), "rendered test images");
}

template <class C, class Visit>
void each_encoder_value(C& c, Visit&& v) {
  v("encoder.name", c.name, any(),
    "scratch, or a CNN such as densenet169, or several side by side: densenet169+mobilenet_v2");
  v("encoder.weights", c.weights, any(),
    "file with torchvision's names; of encoders side by side a.safetensors+b.safetensors");
  v("encoder.stage", c.stage, any(), "stage whose output is the grid; empty: the last");
  v("encoder.image_size", c.image_size, between(16, 1024), "photographs are squashed to so many pixels a side");
  v("encoder.orientation", c.orientation, any(),
    "exif: photographs are turned upright; stored: EXIF is ignored, as by feature caches of before it was known");
  v("encoder.grid", c.grid, between(0, 112), "cells a side; more than the native ones by dilation; 0: native");
  v("encoder.stride_in_1x1", c.stride_in_1x1, any(), "ResNet v1: stride in the 1x1 convolution");
  v("encoder.fine_tune", c.fine_tune, any(), "train the encoder from this stage on; empty: frozen");
  v("encoder.train_batch_norm", c.train_batch_norm, any(), "batch statistics in the trained stages");
  v("encoder.learning_rate", c.learning_rate, between(0, 10), "of the trained stages");
}

template <class C, class Visit>
void each_decoder_value(C& c, Visit&& v) {
  v("decoder.attention", c.attention, any(),
    "before the LSTM's step: soft, hard (one location a word, drawn); after it, with a visual sentinel: sentinel; the "
    "mean of the grid before <start>: "
    "none");
  v("decoder.projection", c.projection, between(0, 8192),
    "features are projected to so many values, with a relu, before they are attended to; 0: they are not");
  v("decoder.projection_dropout", c.projection_dropout, between(0, 0.95), "of the projected features");
  v("decoder.embedding", c.embedding, between(1, 8192), "width of a word vector");
  v("decoder.attention_size", c.attention_size, between(1, 8192), "width of keys and queries");
  v("decoder.hidden", c.hidden, between(1, 8192), "width of the LSTM");
  v("decoder.score", c.score, any(), "activation in the attention scores");
  v("decoder.gate", c.gate, any(), "gate on the context; soft and hard only");
  v("decoder.output", c.output, any(), "deep: the paper's output layer");
  v("decoder.initial_state", c.initial_state, any(), "from the mean of the grid");
  v("decoder.weights", c.weights, any(), "how the weights are drawn");
  v("decoder.output_bias", c.output_bias, any(), "initial bias of the words");
  v("decoder.dropout", c.dropout, between(0, 0.95), "before the output layer");
  v("decoder.embedding_dropout", c.embedding_dropout, between(0, 0.95), "of the words that are read");
  v("decoder.tied", c.tied, any(), "the output layer's weight is the embedding's");
}

template <class C, class Visit>
void each_loss_value(C& c, Visit&& v) {
  v("loss.doubly_stochastic", c.doubly_stochastic, between(0, 1e4), "weight of (1 - sum over time of alpha)^2");
  v("loss.reduction", c.reduction, any(),
    "paper: sums over words and over the grid, per caption; tutorial: means over words and over the grid");
  v("loss.label_smoothing", c.label_smoothing, between(0, 0.9), "share of the target spread over all words");
  v("loss.reinforce", c.reinforce, between(0, 1e4), "hard attention: weight lambda_r of what drawn locations earn");
  v("loss.entropy", c.entropy, between(0, 1e4), "hard attention: weight lambda_e of the entropy of alpha");
}

template <class C, class Visit>
void each_self_critical_value(C& c, Visit&& v) {
  v("self_critical.samples", c.samples, between(1, 100), "captions drawn of each image of a batch");
  v("self_critical.baseline", c.baseline, any(),
    "what their scores are compared with: the mean of the others of the image, or the caption of greedy search");
  v("self_critical.cross_entropy", c.cross_entropy, between(0, 100), "weight of the loss on the true captions besides");
}

template <class C, class Visit>
void each_scheduled_sampling_value(C& c, Visit&& v) {
  v("scheduled_sampling.limit", c.limit, between(0, 1),
    "largest share of the words that training reads which the model draws itself; 0: it reads the true ones");
  v("scheduled_sampling.rise", c.rise, between(0, 1), "the share begins at 0 and rises by so much");
  v("scheduled_sampling.every", c.every, between(1, 1e6), "after each so many epochs");
}

template <class C, class Visit>
void each_training_value(C& c, Visit&& v) {
  v("training.objective", c.objective, any(), "self-critical: CIDEr-D of captions that the model draws");
  v("training.init", c.init, any(), "model file to begin with; empty: from nothing");
  v("training.init_hash", c.init_hash, any(), "of that file; where it is given, another file is refused");
  v("training.seed", c.seed, between(0, 9e15), "of weights, dropout and order");
  v("training.epochs", c.epochs, between(1, 1e6), "epochs, at most");
  v("training.epoch_steps", c.epoch_steps, between(0, 1e9),
    "an epoch passes over the training captions as often as gives at least so many steps; 0: once");
  v("training.batch", c.batch, between(1, 4096), "captions a step");
  v("training.accumulate", c.accumulate, between(1, 4096),
    "batches a step: their gradients are those of one batch of all of their captions");
  v("training.grouping", c.grouping, any(),
    "captions of a batch are about equally long; or all captions of an image stand together, so that an encoder "
    "that is trained runs once for them");
  v("training.optimizer", c.optimizer, any(), "");
  v("training.learning_rate", c.learning_rate, between(0, 10), "of the decoder");
  v("training.momentum", c.momentum, between(0, 0.9999), "sgd, rmsprop: momentum; adam, adamw: beta1");
  v("training.weight_decay", c.weight_decay, between(0, 10), "");
  v("training.clip_value", c.clip_value, between(0, 1e6), "largest element of a gradient; 0: off");
  v("training.clip_norm", c.clip_norm, between(0, 1e6), "largest norm of all gradients; 0: off");
  v("training.schedule", c.schedule, any(),
    "step: times decay every decay_every epochs; plateau: after so many without a better score; cosine: to decay at "
    "the last epoch; one-cycle: up in warmup_steps (0: 30 % of all) and down to decay");
  v("training.decay", c.decay, between(0, 1), "see schedule");
  v("training.decay_every", c.decay_every, between(1, 1e6), "see schedule; in epochs");
  v("training.warmup_steps", c.warmup_steps, between(0, 1e7), "steps of linear rise of the learning rate");
  v("training.ema", c.ema, between(0, 0.999999),
    "decay of the moving average of the weights, which is what is validated and kept as the model; 0: none");
  v("training.patience", c.patience, between(0, 1e6), "stop after so many epochs without a better score; 0: never");
  v("training.keep_best", c.keep_best, one_of(score_names()), "score of the validation captions to go by");
  v("training.checkpoint_every", c.checkpoint_every, between(1, 1e9), "steps between checkpoints");
  v("training.log_every", c.log_every, between(1, 1e9), "steps between lines of log.jsonl");
  v("training.threads", c.threads, between(0, 1024), "0: one a core");
  v("training.device", c.device, any(), "");
  v("training.matmul", c.matmul, any(),
    "how factors of products are rounded in training: tf32 on GPUs, bf16 also on CPUs with AMX or AVX512-BF16; auto: "
    "bf16 on CPUs where it is quicker (AMX; AMD's with AVX512-BF16), else f32. Captions of validation and report are "
    "always written in f32 on CPUs");
}

template <class C, class Visit>
void each_validation_value(C& c, Visit&& v) {
  v("validation.beam", c.beam, between(1, 100), "beams of the captions written after each epoch");
  v("validation.max_words", c.max_words, between(1, 1000), "longest caption");
  v("validation.batch", c.batch, between(1, 4096), "images decoded together");
}

template <class C, class Visit>
void each_value(C& c, Visit&& v) {
  v("recipe", c.recipe, any(), "name of the recipe that these values come from");
  each_data_value(c.data, v);
  each_scene_value(c.scenes, v);
  each_encoder_value(c.encoder, v);
  each_decoder_value(c.decoder, v);
  each_loss_value(c.loss, v);
  each_self_critical_value(c.self_critical, v);
  each_scheduled_sampling_value(c.scheduled_sampling, v);
  each_training_value(c.training, v);
  each_validation_value(c.validation, v);
}

std::string valid(const Rule& rule, const bool&) { return rule.choices.empty() ? "true, false" : ""; }
template <NamedEnum E>
std::string valid(const Rule&, const E&) {
  return fmt::format("{}", fmt::join(choice_names<E>(), ", "));
}
std::string valid(const Rule& rule, const std::string&) {
  return rule.choices.empty() ? "text" : fmt::format("{}", fmt::join(rule.choices, ", "));
}
template <class T>
requires std::is_arithmetic_v<T> std::string valid(const Rule& rule, const T&) {
  return fmt::format("{}{} .. {}", std::is_integral_v<T> ? "whole number, " : "", rule.low, rule.high);
}

[[noreturn]] void bad_value(const std::string& where, const std::string& key, const Json& value,
                            const std::string& expected, const std::string& hint = "") {
  fail("{}: {} is {}, expected {}{}", where, key, json_text(value), expected, hint);
}

/// did_you_mean for a value that is one of several words.
std::string meant(const Json& value, const std::vector<std::string>& choices) {
  return value.is_string() ? did_you_mean(value.get_ref<const std::string&>(), choices) : "";
}

void assign(bool& target, const Json& value, const Rule& rule, const std::string& key, const std::string& where) {
  if (!value.is_boolean()) bad_value(where, key, value, valid(rule, target));
  target = value.get<bool>();
}

void assign(std::string& target, const Json& value, const Rule& rule, const std::string& key,
            const std::string& where) {
  if (!value.is_string()) bad_value(where, key, value, valid(rule, target));
  const std::string text = value.get<std::string>();
  if (!rule.choices.empty() && std::find(rule.choices.begin(), rule.choices.end(), text) == rule.choices.end())
    bad_value(where, key, value, valid(rule, target), meant(value, rule.choices));
  target = text;
}

template <NamedEnum E>
void assign(E& target, const Json& value, const Rule& rule, const std::string& key, const std::string& where) {
  const std::optional<E> choice =
      value.is_string() ? choice_named<E>(value.get_ref<const std::string&>()) : std::nullopt;
  if (!choice) bad_value(where, key, value, valid(rule, target), meant(value, choice_names<E>()));
  target = *choice;
}

template <class T>
requires std::is_arithmetic_v<T>
void assign(T& target, const Json& value, const Rule& rule, const std::string& key, const std::string& where) {
  const double number = value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
  const bool whole = !std::is_integral_v<T> || number == std::floor(number);
  if (!(number >= rule.low && number <= rule.high && whole)) bad_value(where, key, value, valid(rule, target));
  target = static_cast<T>(number);
}

[[noreturn]] void unknown_key(const std::string& key, const std::string& where) {
  std::vector<std::string> keys;
  for (const ConfigKey& k : config_keys()) keys.push_back(k.key);
  fail("{}: there is no value named '{}'{}; there are {}", where, printable(key, 80), did_you_mean(key, keys),
       fmt::join(keys, ", "));
}

void set(Config& config, const std::string& key, const Json& value, const std::string& where) {
  bool found = false;
  each_value(config, [&](const char* name, auto& target, const Rule& rule, const char*) {
    if (key != name) return;
    found = true;
    assign(target, value, rule, key, where);
  });
  if (!found) unknown_key(key, where);
}

/// A value as it stands in JSON.
template <class T>
OrderedJson written(const T& value) {
  if constexpr (NamedEnum<T>)
    return name_of(value);
  else
    return value;
}

/// A value of the command line: the number or truth value that it spells, else the text itself.
Json number_or_text(const std::string& value) {
  if (value.empty() || value.size() > 40 || value[0] == '[' || value[0] == '{') return value;
  const Json parsed = Json::parse(value, nullptr, false);
  return parsed.is_discarded() ? Json(value) : parsed;
}

/// "decoder" and "hidden" of "decoder.hidden"; the group is empty for a value outside groups.
std::pair<std::string, std::string> split_key(const std::string& key) {
  const std::size_t dot = key.find('.');
  if (dot == std::string::npos) return {"", key};
  return {key.substr(0, dot), key.substr(dot + 1)};
}

}  // namespace

std::vector<ConfigKey> config_keys(const Config& config) {
  std::vector<ConfigKey> keys;
  each_value(config, [&](const char* name, const auto& value, const Rule& rule, const char* about) {
    const Json json = written(value);
    keys.push_back({name, about, valid(rule, value), json.is_string() ? json.get<std::string>() : json.dump()});
  });
  return keys;
}

std::string config_to_json(const Config& config) {
  OrderedJson json;
  each_value(config, [&](const char* name, const auto& value, const Rule&, const char*) {
    const auto [group, key] = split_key(name);
    (group.empty() ? json : json[group])[key] = written(value);
  });
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

Config config_from_json(const std::string& text, const std::string& where, const Config& defaults) {
  const Json json = parse_json(text, where);
  check(json.is_object(), "{}: expected a JSON object of groups such as \"decoder\"", where);
  Config config = defaults;
  for (const auto& [group, values] : json.items()) {
    if (group == "about") continue;
    if (!values.is_object()) {
      set(config, group, values, where);
      continue;
    }
    for (const auto& [key, value] : values.items()) set(config, group + "." + key, value, where);
  }
  return config;
}

void set_config_value(Config& config, const std::string& key, const std::string& value, const std::string& where) {
  bool is_text = false;
  each_value(config, [&](const char* name, auto& target, const Rule&, const char*) {
    using T = std::remove_reference_t<decltype(target)>;
    if (key == name) is_text = std::is_same_v<T, std::string> || NamedEnum<T>;
  });
  set(config, key, is_text ? Json(value) : number_or_text(value), where);
}

std::vector<std::string> config_differences(const Config& a, const Config& b) {
  std::vector<std::string> values, differences;
  each_value(
      b, [&](const char*, const auto& value, const Rule&, const char*) { values.push_back(written(value).dump()); });
  std::size_t index = 0;
  each_value(a, [&](const char* name, const auto& value, const Rule&, const char*) {
    const std::string mine = written(value).dump();
    if (const std::string& other = values[index++]; mine != other)
      differences.push_back(fmt::format("{}: {}, not {}", name, mine, other));
  });
  return differences;
}

Config read_recipe(const std::string& recipe) {
  if (!recipe.ends_with(".json")) return config_from_json(recipe_text(recipe), "recipe " + recipe);
  Config config = config_from_json(read_utf8_file(recipe), recipe);
  config.recipe = recipe;
  return config;
}

}  // namespace glimpse
