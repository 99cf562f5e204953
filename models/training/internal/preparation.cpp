#include "glimpse/models/training/internal/preparation.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <unordered_map>

#include "glimpse/data/feature_cache.h"
#include "glimpse/engine/device.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/models/captioner/features.h"
#include "glimpse/models/captioner/initial_model.h"
#include "glimpse/models/captioner/shared_features.h"
#include "glimpse/models/training/self_critical.h"
#include "glimpse/models/training/view_choice.h"

namespace glimpse {
namespace {

using Json = nlohmann::json;

/// A name as skipped.jsonl holds it: JSON can only hold UTF-8.
std::string quoted(const std::string& name) { return Json(name).dump(-1, ' ', false, Json::error_handler_t::replace); }

/// The images that a run began without.
std::vector<SkippedImage> read_skipped(const std::string& path, const Dataset& dataset) {
  std::vector<SkippedImage> skipped;
  if (!std::filesystem::exists(path)) return skipped;
  std::unordered_map<std::string, std::string> reasons;
  std::istringstream lines(read_text_file(path));
  for (std::string line; std::getline(lines, line);) {
    const Json json = parse_json(line, path);
    check(json.is_object() && json.contains("filename") && json.contains("reason") && json["reason"].is_string(),
          "{}: damaged: expected lines {{\"filename\": ..., \"reason\": ...}}", path);
    reasons[json["filename"].dump()] = json["reason"].get<std::string>();
  }
  for (const CaptionedImage& image : dataset.captions().images) {
    const auto found = reasons.find(quoted(image.filename));
    if (found != reasons.end()) skipped.push_back({image.filename, found->second});
  }
  return skipped;
}

/// Looks at all images, and leaves out the bad ones.
std::vector<SkippedImage> leave_out_bad(Dataset& dataset, bool skip_bad, Observer& observer) {
  std::vector<std::string> before = filenames_of(dataset.all());
  const DatasetReport report = dataset.check_images(skip_bad);
  for (const std::string& note : report.notes) observer.say("note        " + note);
  for (const std::string& bad : report.bad) observer.say("skipped     " + bad);
  // The report is in the order of the images.
  std::vector<SkippedImage> skipped;
  const std::vector<std::string> after = filenames_of(dataset.all());
  for (std::size_t i = 0, kept = 0; i < before.size(); ++i) {
    if (kept < after.size() && after[kept] == before[i]) {
      ++kept;
      continue;
    }
    const std::string& line = report.bad.at(skipped.size());
    skipped.push_back({before[i], line.substr(std::min(before[i].size() + 2, line.size()))});
  }
  return skipped;
}

/// Hashes of all that the run is made from.
RunInputs inputs_of(const Dataset& dataset, const Vocabulary& vocabulary, const Config& config) {
  std::string text;
  for (const std::string& word : vocabulary.words()) text += word + "\n";
  for (const CaptionedImage& image : dataset.captions().images) {
    text += image.split + "/" + image.filename;
    for (const CaptionWords& caption : image.captions) text += fmt::format(" {}", fmt::join(caption, " "));
    text += "\n";
  }
  RunInputs inputs;
  inputs.captions = hash_bytes(text.data(), text.size());
  inputs.images = images_hash(dataset, filenames_of(dataset.all()));
  inputs.init = config.training.init_hash;
  if (!config.encoder.weights.empty()) inputs.weights = hash_weights(config.encoder.name, config.encoder.weights);
  return inputs;
}

/// "cpu", "cuda" or "cuda with products in tf32".
std::string device_text(const TrainingConfig& training) {
  return training.matmul == MatmulChoice::f32 ? name_of(training.device)
                                              : fmt::format("{} with products in {} (--matmul f32: exact ones)",
                                                            name_of(training.device), name_of(training.matmul));
}

std::int64_t count_elements(const std::vector<NamedTensor>& tensors) {
  std::int64_t count = 0;
  for (const NamedTensor& tensor : tensors) count += tensor.tensor.numel();
  return count;
}

/// What happens to the encoder.
std::string how_trained(const Preparation& p) {
  const Config& c = p.config();
  if (!c.trains_encoder()) return "frozen: each image is encoded once";
  if (c.encoder.fine_tune.empty()) return c.training.init.empty() ? "trained from nothing" : "all of it trained";
  const std::string text = "trained from " + c.encoder.fine_tune + " on";
  return p.feature_path.empty() ? text : text + "; each image goes once through what comes before";
}

/// A model that knows nothing yet.
CaptionModel new_model(const Config& config, const Dataset& dataset, Observer& observer) {
  const ImageList train = dataset.require_split("train");
  const Vocabulary vocabulary = Vocabulary::build(train, config.data.min_count, dataset.captions().rule);
  Generator generator(static_cast<std::uint64_t>(config.training.seed));
  std::string note;
  CaptionModel model = make_model(config, vocabulary, generator, &note);
  if (!note.empty()) observer.say("note        " + note);
  if (config.decoder.output_bias == OutputBias::log_frequency)
    model.decoder.set_output_bias(word_counts(vocabulary, train));
  return model;
}

/// The model of --init.
CaptionModel begun_model(const Config& config, Observer& observer) {
  std::string note;
  CaptionModel model = initial_model(config, &note);
  observer.say("init        " + note);
  return model;
}

}  // namespace

Preparation prepare(const RunRequest& request, bool resumes, Observer& observer) {
  const Config& config = request.config;
  check(!config.is_self_critical() || !config.training.init.empty(),
        "self-critical training goes on from a model that knows how to write: --init MODEL");
  Dataset dataset = open_dataset(config);
  dataset.keep_splits({"train", "val"});
  if (config.data.overfit > 0) dataset.keep_few(config.data.overfit);
  dataset.require_split("train");
  dataset.require_split("val");
  if (config.is_self_critical()) check_self_critical(config.self_critical, dataset.require_split("train"));
  std::vector<SkippedImage> skipped;
  if (resumes) {
    skipped = read_skipped(RunFiles(request.folder).skipped(), dataset);
    std::vector<std::string> names;
    for (const SkippedImage& image : skipped) names.push_back(image.filename);
    dataset.drop(names);
  } else {
    if (!dataset.scenes()) observer.progress([] { return std::string("looking at all images"); });
    skipped = leave_out_bad(dataset, config.data.skip_bad, observer);
  }
  if (observer.stop()) throw Stopped();
  CaptionModel model =
      config.training.init.empty() ? new_model(config, dataset, observer) : begun_model(config, observer);
  RunInputs inputs = inputs_of(dataset, model.vocabulary, model.config);
  if (inputs.weights.empty()) inputs.weights = model.encoder_source;
  model.config.training.matmul = resolved(config.training.matmul, config.training.device);
  use_device(config.training.device, precision_of(model.config.training.matmul));
  move_to(model, config.training.device);
  model.encoder_source = config.trains_encoder() ? "" : inputs.weights;
  std::string feature_path;
  if (const std::optional<Encoder> frozen = model.encoder.frozen_part()) {
    feature_path = config.data.features;
    if (feature_path.empty()) {
      const FeatureKey key =
          feature_key(*frozen, model.preprocessing, inputs.images, inputs.weights, config.data.views);
      feature_path = shared_features(config.data.cache, request.folder, config.encoder.name, key);
    }
  }
  return {std::move(dataset), std::move(skipped), std::move(model), std::move(feature_path), inputs};
}

std::string skipped_list(const std::vector<SkippedImage>& skipped) {
  std::string text;
  for (const SkippedImage& image : skipped)
    text += fmt::format("{{\"filename\": {}, \"reason\": {}}}\n", quoted(image.filename), quoted(image.reason));
  return text;
}

std::int64_t bytes_to_write(Preparation& p) {
  const std::int64_t decoder = count_elements(named_tensors(p.model.decoder));
  const std::int64_t encoder = count_elements(named_tensors(p.model.encoder));
  const std::int64_t trained = decoder + (p.config().trains_encoder() ? encoder : 0);
  return 2 * 4 * (3 * trained + decoder + encoder);
}

double memory_estimate(Preparation& p) {
  const Config& c = p.config();
  const CaptionModel& m = p.model;
  const double decoder = static_cast<double>(count_elements(named_tensors(p.model.decoder)));
  const double encoder = static_cast<double>(count_elements(named_tensors(p.model.encoder)));
  const double rows = c.training.batch, locations = static_cast<double>(m.encoder.locations());
  const double words = rows * 14;  // of a batch: captions have 11 or so
  const auto context = static_cast<double>(m.decoder.config.context_size());
  double floats = 4 * decoder + encoder;
  floats += rows * locations *
            (3 * static_cast<double>(m.encoder.channels()) + 3 * static_cast<double>(c.decoder.attention_size));
  if (c.decoder.projection > 0)
    floats += 4 * rows * locations * context;  // before and after relu and dropout, gradient
  floats +=
      words * (2 * static_cast<double>(m.vocabulary.size()) + 12 * static_cast<double>(c.decoder.hidden) + 3 * context);
  if (c.trains_encoder()) {
    floats += 3 * encoder;
    double activations = 0;
    for (const Layer& layer : m.encoder.network().layers)
      if (layer.stage >= m.encoder.first_trained())
        activations += static_cast<double>(layer.shape.channels * layer.shape.height * layer.shape.width);
    floats += 2 * rows * activations;
  }
  return 4 * floats;
}

std::int64_t Preparation::feature_rows() const { return std::ssize(dataset.captions().images) * config().data.views; }

void say_plan(Preparation& p, const std::string& folder, Observer& observer) {
  const CaptionModel& m = p.model;
  const Config& c = p.config();
  const ImageList train = p.dataset.split("train"), val = p.dataset.split("val");
  std::int64_t captions = 0, encoder_parameters = 0;
  for (const CaptionedImage* image : train) captions += std::ssize(image->captions);
  for (const NamedTensor& tensor : named_tensors(p.model.encoder))
    if (tensor.trainable && tensor.tensor.requires_grad()) encoder_parameters += tensor.tensor.numel();
  const auto line = [&](const char* label, const std::string& text) {
    observer.say(fmt::format("{:<12}{}", label, text));
  };
  line("data", fmt::format("{}: {} images with {} captions to train on, {} images to validate", p.dataset.description(),
                           with_commas(std::ssize(train)), with_commas(captions), with_commas(std::ssize(val))));
  const std::string words =
      c.training.init.empty()
          ? fmt::format("4 special ones, and those that the training captions hold at least {} x", c.data.min_count)
          : "those of the model";
  line("vocabulary",
       fmt::format("{} words: {}; unknown: {:.2f} % of the training words, {:.2f} % of the validation words",
                   with_commas(m.vocabulary.size()), words, 100 * out_of_vocabulary_rate(m.vocabulary, train),
                   100 * out_of_vocabulary_rate(m.vocabulary, val)));
  line("encoder", m.encoder.description() + "; " + how_trained(p));
  if (c.data.views > 1) {
    const ViewChoice views(c, train, p.dataset.captions().rule);
    line("views", fmt::format("{} of each image to train on; {} captions see no mirror image: {}", c.data.views,
                              with_commas(views.unmirrored()), views.reason()));
  }
  std::string parameters = with_commas(count_elements(named_tensors(p.model.decoder))) + " in the decoder";
  if (encoder_parameters > 0) parameters += fmt::format(", {} trained in the encoder", with_commas(encoder_parameters));
  line("parameters", parameters);
  std::string memory = "about " + human_bytes(memory_estimate(p));
  if (!p.feature_path.empty()) {
    const std::int64_t cached = feature_bytes(m, p.feature_rows());
    memory += ", and a mapped feature cache of " + human_bytes(static_cast<double>(cached));
  }
  line("memory", memory);
  line("training",
       fmt::format("recipe {}, {} epochs at most, batches of {} captions, {}, {} threads, seed {}", c.recipe,
                   c.training.epochs, c.training.batch, device_text(c.training), kernels::threads(), c.training.seed));
  line("run", folder);
}

}  // namespace glimpse
