#include "training_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "interrupt.h"
#include "program.h"
#include "run_report.h"
#include "trainer.h"

namespace glimpse::tools {
namespace {

constexpr int stopped_exit_code = 130;  // what shells report for Ctrl-C

/// What may change between the parts of a run: where things lie, and when it ends.
const std::vector<std::string> free_keys{"data.images",       "data.captions",    "data.splits",
                                         "data.features",     "encoder.weights",  "training.epochs",
                                         "training.patience", "training.threads", "training.checkpoint_every",
                                         "training.log_every"};

std::string fingerprint(const Examples& examples, const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + "\n";
  for (const CaptionedImage& image : examples.set().images) {
    text += image.split + "/" + image.filename;
    for (const CaptionWords& caption : image.captions) text += fmt::format(" {}", fmt::join(caption, " "));
    text += "\n";
  }
  return hash_bytes(text.data(), text.size());
}

/// Looks at all images, or when a run goes on drops those that it began without.
std::vector<std::string> usable_images(Examples& examples, const RunRequest& request, Progress& progress) {
  const std::string list = request.folder + "/skipped.txt";
  if (request.resume && is_run(request.folder)) {
    std::vector<std::string> names;
    if (!std::filesystem::exists(list)) return names;
    const std::string text = read_text_file(list);
    for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      names.push_back(text.substr(begin, text.find(": ", begin) - begin));
    examples.drop(names);
    return names;
  }
  if (!examples.scenes()) progress.update("looking at all images");
  const DatasetReport report = examples.check_images(request.config.data.skip_bad);
  for (const std::string& note : report.notes) progress.print("note        " + note);
  for (const std::string& bad : report.bad) progress.print("skipped     " + bad);
  return report.bad;
}

/// All that a run is made of, before anything is written.
struct Preparation {
  Config config;
  Examples examples;
  std::vector<std::string> skipped;
  Vocabulary vocabulary;
  std::optional<Captioner> captioner;
  std::string feature_path;  ///< empty where the encoder is trained
};

Preparation prepare(const RunRequest& request, Progress& progress) {
  Preparation p{request.config, Examples(request.config), {}, {}, {}, {}};
  p.examples.keep_splits({"train", "val"});
  p.examples.split_or_fail("train");
  p.examples.split_or_fail("val");
  p.skipped = usable_images(p.examples, request, progress);
  const ImageList train = p.examples.split_or_fail("train");
  p.vocabulary = Vocabulary::build(train, p.config.data.min_count);
  Generator generator(static_cast<std::uint64_t>(p.config.training.seed));
  p.captioner.emplace(make_captioner(p.config, p.vocabulary.words(), generator));
  if (p.config.decoder.output_bias == "log-frequency")
    p.captioner->decoder.set_output_bias(word_counts(p.vocabulary, train));
  move_to(*p.captioner, use_device(p.config.training.device, p.config.training.matmul));
  if (!p.config.trains_encoder()) {
    p.captioner->encoder_source = hash_file(p.config.encoder.weights);
    p.feature_path = p.config.data.features.empty() ? request.folder + "/features.safetensors" : p.config.data.features;
  }
  return p;
}

/// "cpu", "cuda" or "cuda with products in tf32".
std::string device_text(const TrainingConfig& training) {
  return training.matmul == "f32" ? training.device : training.device + " with products in " + training.matmul;
}

std::int64_t count_elements(const std::vector<NamedTensor>& tensors) {
  std::int64_t count = 0;
  for (const NamedTensor& tensor : tensors) count += tensor.tensor.numel();
  return count;
}

/// Bytes that the run will write at most: two checkpoints and two models while one replaces the other.
std::int64_t bytes_to_write(Preparation& p) {
  const std::int64_t decoder = count_elements(named_tensors(p.captioner->decoder));
  const std::int64_t encoder = count_elements(named_tensors(p.captioner->encoder));
  const std::int64_t trained = decoder + (p.config.trains_encoder() ? encoder : 0);
  std::int64_t bytes = 2 * 4 * (3 * trained + decoder + encoder);
  if (!p.feature_path.empty() && p.config.data.features.empty() && !std::filesystem::exists(p.feature_path))
    bytes += feature_bytes(*p.captioner, std::ssize(p.examples.set().images));
  return bytes;
}

/// Bytes of memory that training takes, estimated from sizes: weights, gradients and moments; a batch of features three
/// times (ready, in use, gradient or keys); logits and their gradient; what a trained encoder keeps for its way back.
double memory_estimate(Preparation& p) {
  const Config& c = p.config;
  const Captioner& m = *p.captioner;
  const double decoder = static_cast<double>(count_elements(named_tensors(p.captioner->decoder)));
  const double encoder = static_cast<double>(count_elements(named_tensors(p.captioner->encoder)));
  const double rows = c.training.batch, locations = static_cast<double>(m.encoder.locations());
  const double words = rows * 14;  // of a batch: captions have 11 or so
  double floats = 4 * decoder + encoder;
  floats += rows * locations * (3 * static_cast<double>(m.encoder.channels()) + 3 * c.decoder.attention_size);
  floats += words * (2 * static_cast<double>(m.words.size()) + 12 * c.decoder.hidden +
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

void print_plan(Preparation& p, const std::string& folder, Progress& progress) {
  const Captioner& m = *p.captioner;
  const ImageList train = p.examples.split("train"), val = p.examples.split("val");
  std::int64_t captions = 0, encoder_parameters = 0;
  for (const CaptionedImage* image : train) captions += std::ssize(image->captions);
  for (const NamedTensor& tensor : named_tensors(p.captioner->encoder))
    if (tensor.trainable && tensor.tensor.requires_grad()) encoder_parameters += tensor.tensor.numel();
  const std::int64_t decoder_parameters = count_elements(named_tensors(p.captioner->decoder));
  const auto line = [&](const char* label, const std::string& text) {
    progress.print(fmt::format("{:<12}{}", label, text));
  };
  line("data",
       fmt::format("{}: {} images with {} captions to train on, {} images to validate", p.examples.description(),
                   with_commas(std::ssize(train)), with_commas(captions), with_commas(std::ssize(val))));
  line("vocabulary",
       fmt::format("{} words: 4 special ones, and those that the training captions hold at least {} x; unknown: "
                   "{:.2f} % of the training words, {:.2f} % of the validation words",
                   with_commas(p.vocabulary.size()), p.config.data.min_count,
                   100 * out_of_vocabulary_rate(p.vocabulary, train), 100 * out_of_vocabulary_rate(p.vocabulary, val)));
  line("encoder",
       fmt::format("{}; {}", m.encoder.description(),
                   !p.config.trains_encoder()           ? "frozen: each image is encoded once"
                   : p.config.encoder.fine_tune.empty() ? "trained from nothing"
                                                        : "trained from " + p.config.encoder.fine_tune + " on"));
  line("parameters",
       fmt::format(
           "{} in the decoder{}", with_commas(decoder_parameters),
           encoder_parameters > 0 ? fmt::format(", {} trained in the encoder", with_commas(encoder_parameters)) : ""));
  line("memory", fmt::format("about {}{}", human_bytes(memory_estimate(p)),
                             p.feature_path.empty() ? ""
                                                    : fmt::format(", and a mapped feature cache of {}",
                                                                  human_bytes(static_cast<double>(feature_bytes(
                                                                      m, std::ssize(p.examples.set().images)))))));
  line("training", fmt::format("recipe {}, {} epochs at most, batches of {} captions, {}, {} threads, seed {}",
                               p.config.recipe, p.config.training.epochs, p.config.training.batch,
                               device_text(p.config.training), kernels::threads(), p.config.training.seed));
  line("run", folder);
}

void print_ending(Ending ending, const Trainer& trainer, const RunFolder& folder, const Config& config,
                  Progress& progress) {
  const TrainingState& s = trainer.state();
  if (ending == Ending::stopped_by_user) {
    progress.print(fmt::format("stopped in epoch {} after step {}; to go on: train_flickr --run {} --resume",
                               s.epoch + 1, s.step, folder.path()));
    return;
  }
  if (ending == Ending::no_better_score)
    progress.print(fmt::format("stopped after epoch {}: {} epochs without a better score", s.epoch, s.stale_epochs));
  progress.print(fmt::format("best epoch {}: {} {:.4f} on the validation split, beam {}", s.best_epoch + 1,
                             config.training.keep_best == "cider" ? "CIDEr-D" : "BLEU-4", s.best_score,
                             config.validation.beam));
}

void print_next_steps(const RunFolder& folder, const Config& config, Progress& progress) {
  progress.print(fmt::format("model       {}", folder.best()));
  progress.print(fmt::format("report      {}", folder.report()));
  progress.print("next        evaluate --model " + folder.best() +
                 (config.uses_scenes() ? ""
                                       : fmt::format(" --images {} --captions {} --split val --beam 3",
                                                     config.data.images, config.data.captions)));
  progress.print("            caption --model " + folder.best() + " --attention maps PHOTOGRAPH.jpg");
}

/// Trains in a folder that is ready. Returns how it ended.
Ending train_in(const RunFolder& folder, Preparation& p, Progress& progress) {
  std::optional<FeatureCache> cache;
  if (!p.feature_path.empty())
    cache.emplace(open_features(*p.captioner, p.examples, p.examples.all(), p.captioner->encoder_source, p.feature_path,
                                progress));
  release_cached_memory();
  Trainer trainer({*p.captioner, p.examples, p.vocabulary, cache ? &*cache : nullptr, folder, progress,
                   fingerprint(p.examples, p.vocabulary.words())});
  if (std::filesystem::exists(folder.last())) {
    trainer.resume();
    progress.print(fmt::format("resuming    at epoch {}, step {}{}", trainer.state().epoch + 1, trainer.state().step,
                               trainer.state().finished ? ": nothing is left to train" : ""));
  }
  const Ending ending = trainer.run();
  print_ending(ending, trainer, folder, p.config, progress);
  if (ending == Ending::stopped_by_user) return ending;
  write_run_report(folder, p.examples, cache ? &*cache : nullptr, trainer.state(), progress);
  print_next_steps(folder, p.config, progress);
  return ending;
}

}  // namespace

Config recorded_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  return config_from_json(read_text_file(path), path);
}

void check_same_run(const Config& recorded, const Config& wanted) {
  std::vector<std::string> differences = config_differences(recorded, wanted);
  std::erase_if(differences, [](const std::string& difference) {
    return std::any_of(free_keys.begin(), free_keys.end(),
                       [&](const std::string& key) { return difference.starts_with(key + ":"); });
  });
  check(differences.empty(), "--resume: the run was started with {}; start another one to change that",
        fmt::join(differences, "; "));
}

int train(const RunRequest& request, Progress& progress) {
  check(request.resume || request.overwrite || !is_run(request.folder),
        "{}: holds a run already: --resume goes on with it, --overwrite replaces it, --run names another folder",
        request.folder);
  const Interrupt interrupt;
  Preparation p = prepare(request, progress);
  print_plan(p, request.folder, progress);
  const bool goes_on = request.resume && is_run(request.folder);
  RunFolder folder(request.folder, bytes_to_write(p));
  if (!goes_on) {
    folder.clear();
    if (!p.skipped.empty()) write_file_atomically(folder.skipped(), fmt::format("{}\n", fmt::join(p.skipped, "\n")));
  }
  write_file_atomically(folder.config(), config_to_json(p.config));
  try {
    return train_in(folder, p, progress) == Ending::stopped_by_user ? stopped_exit_code : 0;
  } catch (const Stopped&) {
    if (!goes_on) folder.abandon();
    progress.print("stopped before the first step; nothing was kept");
    return stopped_exit_code;
  } catch (...) {
    if (!goes_on && !std::filesystem::exists(folder.last())) folder.abandon();
    throw;
  }
}

}  // namespace glimpse::tools
