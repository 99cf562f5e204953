#include "glimpse/models/training/run_check.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <unordered_map>

#include "glimpse/data/feature_cache.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/stopwatch.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/kernels/base/utf8.h"
#include "glimpse/models/captioner/features.h"
#include "glimpse/models/encoder/frozen_encoder.h"
#include "glimpse/models/training/internal/preparation.h"
#include "glimpse/models/training/train_step.h"

namespace glimpse {
namespace {

constexpr std::int64_t most_images = 32;  // that are encoded
constexpr std::size_t most_shown = 5;
constexpr int most_steps = 20;
constexpr double most_seconds = 20;  // of steps

/// Says findings, and counts those that are problems.
class Findings {
 public:
  explicit Findings(Observer& observer) : observer_(observer) {}
  void say(const char* label, const std::string& text) { observer_.say(fmt::format("{:<12}{}", label, text)); }
  void problem(const std::string& text) {
    ++problems_;
    say("PROBLEM", text);
  }
  int problems() const { return problems_; }

 private:
  Observer& observer_;
  int problems_ = 0;
};

/// Pictures with the same content under several names.
void check_duplicates(const Config& config, Findings& findings) {
  const Dataset dataset = open_dataset(config);
  if (dataset.scenes()) return;
  std::unordered_map<std::string, const CaptionedImage*> seen;
  std::vector<std::string> pairs;
  std::int64_t across = 0;
  for (const CaptionedImage& image : dataset.captions().images) {
    const std::string path = dataset.path(image);
    if (!std::filesystem::is_regular_file(path)) continue;  // has been reported
    const auto [first, is_new] = seen.try_emplace(hash_file(path), &image);
    if (is_new) continue;
    across += first->second->split != image.split;
    pairs.push_back(fmt::format("{} ({}) and {} ({})", printable(first->second->filename), first->second->split,
                                printable(image.filename), image.split));
  }
  if (pairs.empty()) return findings.say("images", "no picture is there twice");
  const std::vector<std::string> shown(pairs.begin(),
                                       pairs.begin() + std::min<std::ptrdiff_t>(std::ssize(pairs), most_shown));
  const std::string text =
      fmt::format("{} pictures are there twice, {} in two splits: {}", pairs.size(), across, fmt::join(shown, "; "));
  across > 0 ? findings.problem(text) : findings.say("images", text);
}

std::string caption_text(const char* split, const ImageList& images) {
  std::int64_t captions = 0, words = 0;
  std::size_t fewest = images[0]->captions[0].size(), most = 0;
  for (const CaptionedImage* image : images)
    for (const CaptionWords& caption : image->captions) {
      ++captions;
      words += std::ssize(caption);
      fewest = std::min(fewest, caption.size());
      most = std::max(most, caption.size());
    }
  return fmt::format("{}: {:.1f} an image, {:.1f} words each, {} to {}", split,
                     static_cast<double>(captions) / static_cast<double>(images.size()),
                     static_cast<double>(words) / static_cast<double>(captions), fewest, most);
}

/// What becomes of the words of the captions.
void check_captions(const Preparation& p, Findings& findings) {
  const ImageList train = p.dataset.split("train"), val = p.dataset.split("val");
  findings.say("captions", caption_text("train", train) + "; " + caption_text("val", val));
  if (p.config().training.init.empty()) {
    std::set<int> counts{1, 2, 3, 5, 10, p.config().data.min_count};
    for (const int count : counts) {
      const Vocabulary words = Vocabulary::build(train, count, p.dataset.captions().rule);
      findings.say(
          "words",
          fmt::format("held {:>2} x or more: {:>7}; unknown {:5.2f} % of training, {:5.2f} % of validation words{}",
                      count, with_commas(words.size()), 100 * out_of_vocabulary_rate(words, train),
                      100 * out_of_vocabulary_rate(words, val),
                      count == p.config().data.min_count ? "  <- data.min_count" : ""));
    }
  }
  const double unknown = out_of_vocabulary_rate(p.model.vocabulary, train);
  if (unknown > 0.2)
    findings.problem(fmt::format("{:.0f} % of the training words are unknown: a smaller --min-count, or another model",
                                 100 * unknown));
}

/// pixels (N,3,S,S) against what pretrained encoders expect.
void check_pixels(const Tensor& pixels, Findings& findings) {
  const std::vector<float> values = pixels.to_vector<float>();
  const std::size_t plane = static_cast<std::size_t>(pixels.size(2) * pixels.size(3));
  std::string text;
  bool odd = false;
  for (std::size_t c = 0; c < 3; ++c) {
    double sum = 0, squares = 0, n = 0;
    for (std::size_t begin = c * plane; begin < values.size(); begin += 3 * plane)
      for (std::size_t i = begin; i < begin + plane; ++i, ++n) {
        sum += values[i];
        squares += static_cast<double>(values[i]) * values[i];
      }
    const double mean = sum / n, deviation = std::sqrt(std::max(squares / n - mean * mean, 0.0));
    text += fmt::format("{}{:.2f} +- {:.2f}", c == 0 ? "" : ", ", mean, deviation);
    odd = odd || std::abs(mean) > 2 || deviation < 0.3 || deviation > 2;
  }
  text = fmt::format("red, green, blue of {} images as the encoder gets them: {}; about 0 +- 1 is expected",
                     pixels.size(0), text);
  odd ? findings.problem(text) : findings.say("pixels", text);
}

/// MemAvailable of /proc/meminfo in bytes, or -1.
double memory_available() {
  std::ifstream file("/proc/meminfo");
  for (std::string name, unit; file >> name;) {
    double value = 0;
    file >> value;
    std::getline(file, unit);
    if (name == "MemAvailable:") return 1024 * value;
  }
  return -1;
}

/// The first of the folder and those around it that is there.
std::string existing(std::filesystem::path folder) {
  folder = std::filesystem::absolute(folder);
  std::error_code error;
  while (!std::filesystem::is_directory(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  return folder.string();
}

void check_room(Preparation& p, const std::string& folder, Findings& findings) {
  const double needed = memory_estimate(p), available = memory_available();
  if (available >= 0 && needed > available)
    findings.problem(
        fmt::format("memory: about {} are needed, {} are available", human_bytes(needed), human_bytes(available)));
  const auto space = [&](const std::string& where, std::int64_t bytes, const char* what) {
    try {
      check_space(existing(where), bytes, what);
      findings.say("disk", fmt::format("{}: {} {}", where, what, human_bytes(static_cast<double>(bytes))));
    } catch (const Error& e) {
      findings.problem(e.what());
    }
  };
  space(folder, bytes_to_write(p), "the run needs");
  if (p.feature_path.empty() || std::filesystem::exists(p.feature_path)) return;
  space(std::filesystem::path(p.feature_path).parent_path().string(), feature_bytes(p.model, p.feature_rows()),
        "the feature cache needs");
}

/// Captions of the first of `images`, as many as a batch has or a few more; `x` are their features, or their pixels
/// where the encoder is trained from the image on.
TrainingBatch batch_of(const Preparation& p, const ImageList& images, const Tensor& x) {
  std::vector<std::vector<std::int32_t>> captions;
  std::vector<std::int64_t> image_of;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (i > 1 && std::ssize(captions) >= p.config().training.batch) break;  // two images at least, to be exchanged
    for (const CaptionWords& caption : images[i]->captions) {
      captions.push_back(p.model.vocabulary.encode(caption, p.config().data.max_words));
      image_of.push_back(static_cast<std::int64_t>(i));
    }
  }
  TrainingBatch batch;
  batch.tokens = make_token_batch(captions, image_of);
  const std::int64_t count = batch.tokens.images();
  batch.images.assign(images.begin(), images.begin() + count);
  batch.views.assign(static_cast<std::size_t>(count), 0);
  (p.feature_path.empty() ? batch.pixels : batch.features) = x.rows(0, count);
  return batch;
}

/// The batch with the pictures of other images.
TrainingBatch shuffled(TrainingBatch batch) {
  for (Tensor* x : {&batch.features, &batch.pixels})
    if (x->defined()) *x = concat({x->rows(1, x->size(0)), x->rows(0, 1)}, 0);
  return batch;
}

double loss_of(const CaptionModel& model, const TrainingBatch& batch) {
  const NoGrad no_grad;
  const Tensor features =
      batch.features.defined() ? model.encoder.forward_rest(batch.features) : model.encoder.forward(batch.pixels);
  Generator unused(1);
  return model.decoder.loss(features, batch.tokens, unused, {.doubly_stochastic = 0, .train = false}).cross_entropy;
}

/// Some steps on one batch: how long training will take, and whether it sees the pictures.
void check_steps(Preparation& p, const ImageList& images, const TrainingBatch& batch, Findings& findings,
                 Observer& observer) {
  TrainStep step(p.model, images);
  step.set_scheduled_sampling(p.config().scheduled_sampling.limit);  // what takes longest
  step(batch);                                                       // what is made once is made now
  const Stopwatch watch;
  int steps = 0;
  for (; steps < most_steps && (steps < 3 || watch.seconds() < most_seconds); ++steps) {
    if (observer.stop()) throw Stopped();
    step(batch);
  }
  const TrainingConfig& t = p.config().training;
  const std::int64_t in_pass = TrainingBatches::in_pass(p.config(), images);
  const std::int64_t passes =
      std::max<std::int64_t>((static_cast<std::int64_t>(t.epoch_steps) * t.accumulate + in_pass - 1) / in_pass, 1);
  const double epoch = watch.seconds() / steps * static_cast<double>(in_pass * passes);
  findings.say("time", fmt::format("about {} an epoch without validation, {} for {} epochs ({} batches an epoch)",
                                   human_seconds(epoch), human_seconds(epoch * t.epochs), t.epochs, in_pass * passes));
  if (batch.tokens.images() < 2) return;
  const double right = loss_of(p.model, batch), wrong = loss_of(p.model, shuffled(batch));
  const std::string text = fmt::format(
      "loss after {} steps on one batch {:.4f}; with the pictures of other images {:.4f}", steps + 1, right, wrong);
  std::abs(wrong - right) > 1e-5 ? findings.say("pictures", text)
                                 : findings.problem(text + ": it does not depend on the pictures");
}

}  // namespace

int check_run(const RunRequest& request, Observer& observer) {
  RunRequest all = request;
  all.config.data.skip_bad = true;
  Findings findings(observer);
  Preparation p = prepare(all, false, observer);
  say_plan(p, request.folder, observer);
  if (!p.skipped.empty())
    findings.problem(fmt::format("{} images cannot be used: a run stops there, unless --skip-bad leaves them out",
                                 p.skipped.size()));
  check_duplicates(request.config, findings);
  check_captions(p, findings);
  check_room(p, request.folder, findings);
  const ImageList train = p.dataset.require_split("train");
  ImageList some;
  const std::int64_t count = std::min<std::int64_t>(std::ssize(train), most_images);
  for (std::int64_t i = 0; i < count; ++i) some.push_back(train[i * std::ssize(train) / count]);
  const Tensor pixels = pixels_of(p.dataset, some, p.model.preprocessing, p.model.device());
  check_pixels(pixels, findings);
  Tensor x = pixels;
  if (!p.feature_path.empty()) {
    const FrozenEncoder encoder(*p.model.encoder.frozen_part());
    const Stopwatch watch;
    x = encoder(pixels);
    const double rate = static_cast<double>(count) / watch.seconds();
    const int views = p.config().data.views;
    findings.say("time", std::filesystem::exists(p.feature_path)
                             ? "no image need be encoded: " + p.feature_path + " is there"
                             : fmt::format("about {} to encode {} images{} once",
                                           human_seconds(static_cast<double>(p.feature_rows()) / rate),
                                           with_commas(std::ssize(p.dataset.captions().images)),
                                           views == 1 ? "" : fmt::format(" in {} views", views)));
  }
  check_steps(p, train, batch_of(p, some, x), findings, observer);
  observer.say(findings.problems() == 0 ? "check       all is well"
                                        : fmt::format("check       {} problems", findings.problems()));
  return findings.problems();
}

}  // namespace glimpse
