#include "glimpse/models/training/internal/preparation.h"

#include <filesystem>

#include "glimpse/data/feature_cache.h"
#include "glimpse/engine/device.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/models/captioner/features.h"

namespace glimpse {
namespace {

/// Looks at all images, or when a run goes on drops those that it began without.
std::vector<std::string> usable_images(Dataset& dataset, const RunRequest& request, Observer& observer) {
  const std::string list = request.folder + "/skipped.txt";
  if (request.resume && is_run(request.folder)) {
    std::vector<std::string> names;
    if (!std::filesystem::exists(list)) return names;
    const std::string text = read_text_file(list);
    for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      names.push_back(text.substr(begin, text.find(": ", begin) - begin));
    dataset.drop(names);
    return names;
  }
  if (!dataset.scenes()) observer.progress([] { return std::string("looking at all images"); });
  const DatasetReport report = dataset.check_images(request.config.data.skip_bad);
  for (const std::string& note : report.notes) observer.say("note        " + note);
  for (const std::string& bad : report.bad) observer.say("skipped     " + bad);
  return report.bad;
}

/// "cpu", "cuda" or "cuda with products in tf32".
std::string device_text(const TrainingConfig& training) {
  return training.matmul == MatmulPrecision::f32
             ? name_of(training.device)
             : fmt::format("{} with products in {}", name_of(training.device), name_of(training.matmul));
}

std::int64_t count_elements(const std::vector<NamedTensor>& tensors) {
  std::int64_t count = 0;
  for (const NamedTensor& tensor : tensors) count += tensor.tensor.numel();
  return count;
}

/// Bytes of memory that training takes, estimated from sizes: weights, gradients and moments; a batch of features three
/// times (ready, in use, gradient or keys); logits and their gradient; what a trained encoder keeps for its way back.
double memory_estimate(Preparation& p) {
  const Config& c = p.config();
  const CaptionModel& m = p.model;
  const double decoder = static_cast<double>(count_elements(named_tensors(p.model.decoder)));
  const double encoder = static_cast<double>(count_elements(named_tensors(p.model.encoder)));
  const double rows = c.training.batch, locations = static_cast<double>(m.encoder.locations());
  const double words = rows * 14;  // of a batch: captions have 11 or so
  double floats = 4 * decoder + encoder;
  floats += rows * locations *
            (3 * static_cast<double>(m.encoder.channels()) + 3 * static_cast<double>(c.decoder.attention_size));
  floats += words * (2 * static_cast<double>(m.vocabulary.size()) + 12 * static_cast<double>(c.decoder.hidden) +
                     3 * static_cast<double>(m.encoder.channels()));
  if (c.trains_encoder()) {
    floats += 3 * encoder;
    double activations = 0;
    for (const Layer& layer : m.encoder.network().layers)
      activations += static_cast<double>(layer.shape.channels * layer.shape.height * layer.shape.width);
    floats += 2 * rows * activations;
  }
  return 4 * floats;
}

}  // namespace

Preparation prepare(const RunRequest& request, Observer& observer) {
  const Config& config = request.config;
  Dataset dataset = open_dataset(config);
  dataset.keep_splits({"train", "val"});
  dataset.require_split("train");
  dataset.require_split("val");
  std::vector<std::string> skipped = usable_images(dataset, request, observer);
  const ImageList train = dataset.require_split("train");
  const Vocabulary vocabulary = Vocabulary::build(train, config.data.min_count);
  Generator generator(static_cast<std::uint64_t>(config.training.seed));
  std::string weights_note;
  CaptionModel model = make_model(config, vocabulary, generator, &weights_note);
  if (!weights_note.empty()) observer.say("note        " + weights_note);
  if (config.decoder.output_bias == OutputBias::log_frequency)
    model.decoder.set_output_bias(word_counts(vocabulary, train));
  use_device(config.training.device, config.training.matmul);
  move_to(model, config.training.device);
  std::string feature_path;
  if (!config.trains_encoder()) {
    model.encoder_source = hash_weights(config.encoder.weights);
    feature_path = config.data.features.empty() ? request.folder + "/features.safetensors" : config.data.features;
  }
  return {std::move(dataset), std::move(skipped), std::move(model), std::move(feature_path)};
}

std::string fingerprint(const Preparation& p) {
  std::string text;
  for (const std::string& word : p.model.vocabulary.words()) text += word + "\n";
  for (const CaptionedImage& image : p.dataset.captions().images) {
    text += image.split + "/" + image.filename;
    for (const CaptionWords& caption : image.captions) text += fmt::format(" {}", fmt::join(caption, " "));
    text += "\n";
  }
  return hash_bytes(text.data(), text.size());
}

std::int64_t bytes_to_write(Preparation& p) {
  const std::int64_t decoder = count_elements(named_tensors(p.model.decoder));
  const std::int64_t encoder = count_elements(named_tensors(p.model.encoder));
  const std::int64_t trained = decoder + (p.config().trains_encoder() ? encoder : 0);
  std::int64_t bytes = 2 * 4 * (3 * trained + decoder + encoder);
  if (!p.feature_path.empty() && p.config().data.features.empty() && !std::filesystem::exists(p.feature_path))
    bytes += feature_bytes(p.model, std::ssize(p.dataset.captions().images));
  return bytes;
}

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
  line("vocabulary",
       fmt::format("{} words: 4 special ones, and those that the training captions hold at least {} x; unknown: "
                   "{:.2f} % of the training words, {:.2f} % of the validation words",
                   with_commas(m.vocabulary.size()), c.data.min_count,
                   100 * out_of_vocabulary_rate(m.vocabulary, train), 100 * out_of_vocabulary_rate(m.vocabulary, val)));
  line("encoder", fmt::format("{}; {}", m.encoder.description(),
                              !c.trains_encoder()           ? "frozen: each image is encoded once"
                              : c.encoder.fine_tune.empty() ? "trained from nothing"
                                                            : "trained from " + c.encoder.fine_tune + " on"));
  std::string parameters = with_commas(count_elements(named_tensors(p.model.decoder))) + " in the decoder";
  if (encoder_parameters > 0) parameters += fmt::format(", {} trained in the encoder", with_commas(encoder_parameters));
  line("parameters", parameters);
  std::string memory = "about " + human_bytes(memory_estimate(p));
  if (!p.feature_path.empty()) {
    const std::int64_t cached = feature_bytes(m, std::ssize(p.dataset.captions().images));
    memory += ", and a mapped feature cache of " + human_bytes(static_cast<double>(cached));
  }
  line("memory", memory);
  line("training",
       fmt::format("recipe {}, {} epochs at most, batches of {} captions, {}, {} threads, seed {}", c.recipe,
                   c.training.epochs, c.training.batch, device_text(c.training), kernels::threads(), c.training.seed));
  line("run", folder);
}

}  // namespace glimpse
