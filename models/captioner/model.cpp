#include "glimpse/models/captioner/model.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"
#include "glimpse/models/encoder/weights.h"

namespace glimpse {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* format_name = "glimpse-captioner";
constexpr const char* raw_prefix = "raw.";

/// The tensors of a file under their names in the model.
std::vector<NamedTensor> choose_weights(std::vector<NamedTensor> tensors, ModelWeights which, const std::string& path) {
  std::map<std::string, Tensor> raw;
  std::erase_if(tensors, [&](const NamedTensor& t) {
    const bool is_raw = t.name.starts_with(raw_prefix);
    if (is_raw) raw[t.name.substr(std::char_traits<char>::length(raw_prefix))] = t.tensor;
    return is_raw;
  });
  if (which == ModelWeights::model) return tensors;
  check(!raw.empty(), "{}: has no raw weights: its run kept no averages (training.ema)", path);
  for (NamedTensor& t : tensors)
    if (const auto found = raw.find(t.name); found != raw.end()) t.tensor = found->second;
  return tensors;
}

Json to_json(const Preprocessing& p) {
  return {{"resize", "squash"},
          {"size", p.size},
          {"orientation", name_of(p.orientation)},
          {"mean", p.mean},
          {"std", p.std}};
}

Preprocessing preprocessing_from_json(const nlohmann::json& json) {
  Preprocessing p;
  p.size = json.at("size").get<int>();
  // Models of before it was known are given upright photographs too.
  p.orientation =
      choice_named<Orientation>(json.value("orientation", name_of(Orientation::exif))).value_or(Orientation::exif);
  p.mean = json.at("mean").get<std::array<float, 3>>();
  p.std = json.at("std").get<std::array<float, 3>>();
  return p;
}

const std::string& entry(const Metadata& metadata, const std::string& key, const std::string& path) {
  const auto found = metadata.find(key);
  check(found != metadata.end(), "{}: no captioner: its metadata have no '{}'", path, key);
  return found->second;
}

/// Models without a rule are from before there were several.
WordRule rule_of(const Metadata& metadata, const std::string& path) {
  const auto found = metadata.find("words");
  if (found == metadata.end()) return WordRule::ascii;
  const std::optional<WordRule> rule = choice_named<WordRule>(found->second);
  check(rule.has_value(), "{}: its words follow the rule '{}', which this Glimpse does not know", path,
        printable(found->second, 40));
  return *rule;
}

/// What make() returns; its errors name the file.
template <class Make>
auto of_file(const std::string& path, const Make& make) {
  try {
    return make();
  } catch (const Error& e) {
    fail("{}: {}", path, e.what());
  }
}

Vocabulary vocabulary_of(std::vector<std::string> words, const Metadata& metadata, const std::string& path) {
  const WordRule rule = rule_of(metadata, path);
  return of_file(path, [&] { return Vocabulary(std::move(words), rule); });
}

void check_format(const Metadata& metadata, const std::string& path) {
  const auto format = metadata.find("format");
  const std::string name = format == metadata.end() ? "" : format->second;
  check(name != "glimpse-checkpoint", "{}: a checkpoint to resume from, no captioner; use best.safetensors beside it",
        path);
  check(name == format_name, "{}: no captioner that train_flickr has written (its metadata have no format '{}')", path,
        format_name);
}

void check_preprocessing(const Preprocessing& p, const Config& config, const std::string& path) {
  check(p.size == config.encoder.image_size, "{}: its preprocessing makes images of {} pixels, its encoder takes {}",
        path, p.size, config.encoder.image_size);
  for (std::size_t i = 0; i < p.mean.size(); ++i)
    check(std::isfinite(p.mean[i]) && std::isfinite(p.std[i]) && p.std[i] > 0,
          "{}: its preprocessing has mean {} and std {}", path, p.mean[i], p.std[i]);
}

/// Makes sure, before anything is allocated, that the weights in the file are as large as its configuration says: all
/// of the encoder's, and those of the decoder that fix each of its widths.
void check_claims(const Config& config, std::int64_t vocabulary, const std::vector<NamedTensor>& tensors,
                  const std::string& path) {
  std::vector<TensorInfo> wanted = of_file(path, [&] { return encoder_tensors(encoder_options(config)); }), given;
  for (TensorInfo& tensor : wanted) tensor.name = "encoder." + tensor.name;
  const DecoderConfig& d = config.decoder;
  wanted.push_back({"decoder.embedding.weight", {vocabulary, d.embedding}});
  wanted.push_back({"decoder.cell.weight_hh", {4 * d.hidden, d.hidden}});
  if (d.projection > 0) wanted.push_back({"decoder.projection.bias", {d.projection}});
  if (d.attends()) wanted.push_back({"decoder.query.weight", {d.attention_size, d.hidden}});
  std::set<std::string> names;
  for (const TensorInfo& tensor : wanted) names.insert(tensor.name);
  for (const NamedTensor& t : tensors)
    if (names.contains(t.name)) given.push_back({t.name, t.tensor.shape()});
  check_names_and_shapes(wanted, given, path);
}

}  // namespace

EncoderOptions encoder_options(const Config& config) {
  EncoderOptions options;
  options.name = config.encoder.name;
  options.stage = config.encoder.stage;
  options.grid = config.encoder.grid;
  options.stride_in_1x1 = config.encoder.stride_in_1x1;
  options.size = config.encoder.image_size;
  return options;
}

DecoderConfig decoder_config(const Config& config, std::int64_t vocabulary, std::int64_t channels) {
  DecoderConfig result = config.decoder;
  result.vocabulary = vocabulary;
  result.channels = channels;
  return result;
}

LossOptions loss_options(const Config& config) {
  LossOptions options;
  options.doubly_stochastic = config.decoder.attends() ? config.loss.doubly_stochastic : 0;
  options.reduction = config.loss.reduction;
  options.label_smoothing = config.loss.label_smoothing;
  options.reinforce = config.loss.reinforce;
  options.entropy = config.loss.entropy;
  return options;
}

CaptionModel make_model(const Config& config, const Vocabulary& vocabulary, Generator& generator, std::string* note) {
  const bool pretrained = !config.encoder.weights.empty();
  Generator for_encoder = pretrained ? generator.undrawn() : generator;
  Encoder encoder = make_encoder(encoder_options(config), for_encoder);
  generator.set_state(for_encoder.state());
  if (pretrained) {
    const EncoderWeights weights = load_encoder_weights(encoder, config.encoder.weights);
    if (note) *note = weights.note;
  } else {
    check(config.encoder.name == "scratch",
          "encoder {} needs its pretrained weights: --weights FILE.safetensors (or train one from nothing: --encoder "
          "scratch)",
          config.encoder.name);
  }
  Decoder decoder(decoder_config(config, vocabulary.size(), encoder.channels()), generator);
  Preprocessing preprocessing = encoder_preprocessing(encoder_options(config));
  preprocessing.orientation = config.encoder.orientation;
  CaptionModel model{config, vocabulary, preprocessing, "", std::move(encoder), std::move(decoder)};
  unfreeze(model);
  return model;
}

void unfreeze(CaptionModel& model) {
  const EncoderConfig& c = model.config.encoder;
  if (model.config.trains_encoder())
    model.encoder.set_trainable(c.fine_tune.empty() ? "all" : c.fine_tune, c.train_batch_norm);
}

void save_model(CaptionModel& model, const std::string& path, const Metadata& notes,
                const std::vector<NamedTensor>& raw) {
  Metadata metadata = notes;
  metadata["format"] = format_name;
  metadata["config"] = config_to_json(model.config);
  metadata["vocabulary"] = Json(model.vocabulary.words()).dump();
  metadata["words"] = name_of(model.vocabulary.rule());
  metadata["preprocessing"] = to_json(model.preprocessing).dump();
  metadata["encoder_source"] = model.encoder_source;
  std::vector<NamedTensor> tensors = named_tensors(model);
  for (const NamedTensor& t : raw) tensors.push_back({raw_prefix + t.name, t.tensor, false});
  write_safetensors(path, tensors, metadata);
}

Config model_config(const std::string& path) {
  const Metadata metadata = read_safetensors(path).metadata;
  check_format(metadata, path);
  return config_from_json(entry(metadata, "config", path), path);
}

CaptionModel load_model(const std::string& path, ModelWeights which) {
  SafetensorsFile file = read_safetensors(path);
  check_format(file.metadata, path);
  file.tensors = choose_weights(std::move(file.tensors), which, path);
  Config config = config_from_json(entry(file.metadata, "config", path), path);
  std::vector<std::string> words;
  Preprocessing preprocessing;
  try {
    words = parse_json(entry(file.metadata, "vocabulary", path), path + ": vocabulary").get<std::vector<std::string>>();
    preprocessing =
        preprocessing_from_json(parse_json(entry(file.metadata, "preprocessing", path), path + ": preprocessing"));
  } catch (const Json::exception& e) {
    fail("{}: damaged metadata: {:.200}", path, e.what());
  }
  check(words.size() > special_words, "{}: the vocabulary has only {} words", path, words.size());
  check_preprocessing(preprocessing, config, path);
  check_claims(config, std::ssize(words), file.tensors, path);
  check_finite(file.tensors, path);
  Generator generator = Generator().undrawn();
  Encoder encoder = make_encoder(encoder_options(config), generator);
  Decoder decoder =
      of_file(path, [&] { return Decoder(decoder_config(config, std::ssize(words), encoder.channels()), generator); });
  CaptionModel model{std::move(config),  vocabulary_of(std::move(words), file.metadata, path),
                     preprocessing,      entry(file.metadata, "encoder_source", path),
                     std::move(encoder), std::move(decoder)};
  adopt_tensors(model, file.tensors, path);
  return model;
}

}  // namespace glimpse
