#pragma once
// Everything that a training run is told: what it reads, what it builds, how it trains. One flat list of named values,
// written to and read from JSON, changed one by one with "key=value", and collected in named recipes.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "glimpse/data/batches.h"
#include "glimpse/data/image.h"
#include "glimpse/engine/device.h"
#include "glimpse/models/decoder/config.h"
#include "glimpse/models/decoder/decoder.h"

namespace glimpse {

// What each value means stands in config_keys(), so that programs can print it.

/// Where captions and photographs come from. Without a folder of images: the built-in scenes.
struct DataConfig {
  std::string images;
  std::string captions;
  std::string splits;
  std::string features;
  std::string cache;
  std::string words = "auto";
  int min_count = 5;
  int max_words = 0;
  int views = 1;
  std::string side_words = "left right leftmost rightmost lefthand righthand";
  int overfit = 0;
  bool skip_bad = false;
  std::int64_t max_pixels = max_image_pixels;
};

/// The built-in scenes, when those are the data.
struct SceneConfig {
  std::int64_t seed = 1;
  int train = 4000;
  int val = 300;
  int test = 300;
};

struct EncoderConfig {
  std::string name = "scratch";
  std::string weights;
  std::string stage;
  int image_size = 224;
  Orientation orientation = Orientation::exif;
  int grid = 0;
  bool stride_in_1x1 = false;
  std::string fine_tune;
  bool train_batch_norm = false;
  double learning_rate = 1e-4;
};

struct LossConfig {
  double doubly_stochastic = 1.0;
  Reduction reduction = Reduction::tutorial;
  double label_smoothing = 0.0;
  double reinforce = 1.0;
  double entropy = 0.002;
};

enum class OptimizerKind : std::uint8_t { adam, adamw, rmsprop, sgd };
constexpr auto choices(OptimizerKind) {
  return std::array{Choice{OptimizerKind::adam, "adam"}, Choice{OptimizerKind::adamw, "adamw"},
                    Choice{OptimizerKind::rmsprop, "rmsprop"}, Choice{OptimizerKind::sgd, "sgd"}};
}

/// What training makes smaller or larger.
enum class Objective : std::uint8_t {
  cross_entropy,  ///< of the true words
  self_critical   ///< the CIDEr-D of captions that the model draws itself (arXiv 1612.00563)
};
constexpr auto choices(Objective) {
  return std::array{Choice{Objective::cross_entropy, "cross-entropy"},
                    Choice{Objective::self_critical, "self-critical"}};
}

/// What the score of a drawn caption is compared with.
enum class Baseline : std::uint8_t {
  leave_one_out,  ///< the mean of the other captions drawn of its image
  greedy          ///< the caption of greedy search
};
constexpr auto choices(Baseline) {
  return std::array{Choice{Baseline::leave_one_out, "leave-one-out"}, Choice{Baseline::greedy, "greedy"}};
}

struct SelfCriticalConfig {
  int samples = 5;
  Baseline baseline = Baseline::leave_one_out;
  double cross_entropy = 0.1;
};

/// The probability that a word is read which the model has drawn rises in steps, from 0 at the beginning.
struct ScheduledSamplingConfig {
  double limit = 0;
  double rise = 0.05;
  int every = 5;
};

/// How the learning rate changes, after its warm-up.
enum class ScheduleKind : std::uint8_t {
  constant,
  step,      ///< times `decay` every `decay_every` epochs
  plateau,   ///< times `decay` after `decay_every` epochs without a better score
  cosine,    ///< along half a cosine to `decay` at the last epoch
  one_cycle  ///< up in warmup_steps (0: 30 % of all), then down to `decay` at the last epoch
};
constexpr auto choices(ScheduleKind) {
  return std::array{Choice{ScheduleKind::constant, "constant"}, Choice{ScheduleKind::step, "step"},
                    Choice{ScheduleKind::plateau, "plateau"}, Choice{ScheduleKind::cosine, "cosine"},
                    Choice{ScheduleKind::one_cycle, "one-cycle"}};
}

struct TrainingConfig {
  Objective objective = Objective::cross_entropy;
  std::string init;
  std::string init_hash;
  std::int64_t seed = 1;
  int epochs = 10;
  int epoch_steps = 0;
  int batch = 64;
  int accumulate = 1;
  Grouping grouping = Grouping::by_length;
  OptimizerKind optimizer = OptimizerKind::adam;
  double learning_rate = 4e-4;
  double momentum = 0.9;
  double weight_decay = 0.0;
  double clip_value = 5.0;
  double clip_norm = 0.0;
  ScheduleKind schedule = ScheduleKind::step;
  double decay = 0.85;
  int decay_every = 1;
  int warmup_steps = 0;
  double ema = 0.0;
  int patience = 5;
  std::string keep_best = "bleu4";
  int checkpoint_every = 200;
  int log_every = 20;
  int threads = 0;
  Device device = Device::cpu;
  MatmulChoice matmul = MatmulChoice::automatic;
};

struct ValidationConfig {
  int beam = 1;
  int max_words = 30;
  int batch = 50;
};

struct Config {
  std::string recipe = "default";
  DataConfig data;
  SceneConfig scenes;
  EncoderConfig encoder;
  DecoderConfig decoder;
  LossConfig loss;
  SelfCriticalConfig self_critical;
  ScheduledSamplingConfig scheduled_sampling;
  TrainingConfig training;
  ValidationConfig validation;

  /// Whether the built-in scenes are the data.
  bool uses_scenes() const { return data.images.empty(); }
  /// Whether training is by captions that the model draws.
  bool is_self_critical() const { return training.objective == Objective::self_critical; }
  /// Whether the encoder is trained along with the decoder; else it runs once per image.
  bool trains_encoder() const { return encoder.name == "scratch" || !encoder.fine_tune.empty(); }
};

/// One value of a configuration: "decoder.hidden", what it means, what it may be, and what it is.
struct ConfigKey {
  std::string key;
  std::string about;
  std::string valid;  ///< "tanh, relu", "1 .. 4096", "true, false" or "text"
  std::string value;  ///< "512", "tanh", "true"
};

/// All keys with their values in `config`, in the order in which they are written.
std::vector<ConfigKey> config_keys(const Config& config = {});

/// The configuration as indented JSON, one object per group.
std::string config_to_json(const Config& config);
/// The inverse. Keys that are absent keep the value of `defaults`; an entry "about" is skipped. Throws Error naming
/// `where` for JSON that cannot be read, for a key that does not exist (listing those that do), and for a wrong value.
Config config_from_json(const std::string& json, const std::string& where, const Config& defaults = {});
/// Sets one value from text. Throws Error that begins with `where` and lists the valid keys or values.
void set_config_value(Config& config, const std::string& key, const std::string& value, const std::string& where);
/// The keys whose values differ, each as "key: A, not B".
std::vector<std::string> config_differences(const Config& a, const Config& b);

/// The recipes that are built in, made from recipes/*.json.
std::vector<std::string> recipe_names();
/// The text of a built-in recipe. Throws Error that lists the names.
std::string recipe_text(const std::string& name);
/// A configuration from a built-in recipe's name, or from a file when `recipe` ends in ".json". Throws Error.
Config read_recipe(const std::string& recipe);

}  // namespace glimpse
