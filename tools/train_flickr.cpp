// Trains a captioner: on the built-in scenes, or on photographs with captions.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "common/interrupt.h"
#include "common/program.h"
#include "common/progress.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/models/captioner/initial_model.h"
#include "glimpse/models/training/run_check.h"
#include "glimpse/models/training/training_run.h"

namespace {

using namespace glimpse;
using namespace glimpse::tools;

/// One value that the command line gives: its key, the text, and the option that gave it.
struct Assignment {
  std::string key, value, option;
};

struct Arguments {
  std::vector<Assignment> assignments;
  std::string recipe, run;
  int overfit = 0;
  bool resume = false, overwrite = false, print_config = false, list_keys = false, check = false;

  RunStart start() const { return resume ? RunStart::resume : overwrite ? RunStart::overwrite : RunStart::anew; }
};

/// Of a value in the recipes that runs begin with: "[512]", "[10; scenes 40]", or "" where it is empty.
std::string default_text(const std::string& key) {
  static const std::vector<ConfigKey> photographs = config_keys(read_recipe("default")),
                                      scenes = config_keys(read_recipe("scenes"));
  const auto value = [&](const std::vector<ConfigKey>& keys) {
    return std::find_if(keys.begin(), keys.end(), [&](const ConfigKey& k) { return k.key == key; })->value;
  };
  const std::string usual = value(photographs), other = value(scenes);
  if (usual == other) return usual.empty() ? "" : fmt::format(" [{}]", usual);
  return fmt::format(" [{}; scenes {}]", usual, other);
}

/// "INT:INT in [1 - 4096]" and the like, as CLI11 writes the types of the other options.
std::string type_text(const std::string& key) {
  for (const ConfigKey& k : config_keys()) {
    if (k.key != key || k.valid == "text") continue;
    const std::string range = k.valid.substr(k.valid.find(',') == std::string::npos ? 0 : k.valid.find(',') + 2);
    const std::size_t dots = range.find(" .. ");
    if (dots == std::string::npos) return fmt::format("TEXT:{{{}}}", k.valid);
    const char* type = k.valid.starts_with("whole") ? "INT" : "FLOAT";
    return fmt::format("{}:{} in [{} - {}]", type, type, range.substr(0, dots), range.substr(dots + 4));
  }
  return "TEXT";
}

/// An option that sets one value of the configuration.
void add_value(CLI::App& app, Arguments& a, const std::string& option, const std::string& key,
               const std::string& about) {
  const auto take = [&a, option, key](const std::string& value) {
    a.assignments.push_back({key, value, option + " " + value});
  };
  app.add_option_function<std::string>(option, take, about + default_text(key))->type_name(type_text(key))->take_last();
}

void add_switch(CLI::App& app, Arguments& a, const std::string& option, const std::string& key,
                const std::string& about) {
  app.add_flag_callback(
      option,
      [&a, option, key] {
        a.assignments.push_back({key, "true", option});
      },
      about);
}

void add_options(CLI::App& app, Arguments& a) {
  add_value(app, a, "--images", "data.images", "folder of photographs; without it: the built-in scenes");
  add_value(app, a, "--captions", "data.captions",
            "Karpathy JSON, COCO JSON, a table (captions.txt, results.csv) or Flickr8k.token.txt");
  add_value(app, a, "--splits", "data.splits", "folder with split lists, for caption files without splits");
  add_value(app, a, "--features", "data.features", "feature cache to use or make (default: one in --cache that fits)");
  add_value(app, a, "--cache", "data.cache",
            "folder of feature caches for all runs (default: $XDG_CACHE_HOME/glimpse or ~/.cache/glimpse)");
  add_value(app, a, "--min-count", "data.min_count", "rarer words become <unk>");
  add_switch(app, a, "--skip-bad", "data.skip_bad", "leave out images that cannot be read, and list them");
  add_value(app, a, "--encoder", "encoder.name",
            "densenet169, resnet50, mobilenet_v2, ..., several joined by +, or scratch");
  add_value(app, a, "--weights", "encoder.weights",
            "the encoder's weights, torchvision's names; of several encoders joined by +");
  add_value(app, a, "--stage", "encoder.stage", "stage whose output the decoder sees");
  add_value(app, a, "--grid", "encoder.grid", "cells a side of the grid, such as 14");
  add_switch(app, a, "--stride-in-1x1", "encoder.stride_in_1x1", "ResNet v1");
  add_value(app, a, "--fine-tune", "encoder.fine_tune", "train the encoder from this stage on");
  add_value(app, a, "--init", "training.init", "begin with this model: its words, encoder and decoder, by any recipe");
  add_value(app, a, "--epochs", "training.epochs", "epochs, at most");
  add_value(app, a, "--batch", "training.batch", "captions a step");
  add_value(app, a, "--learning-rate", "training.learning_rate", "of the decoder");
  add_value(app, a, "--seed", "training.seed", "of weights, dropout and order");
  add_value(app, a, "--threads", "training.threads", "0: one a core");
  add_value(app, a, "--device", "training.device", "cpu or cuda");
  add_value(app, a, "--matmul", "training.matmul", std::string(matmul_help) + "; auto: bf16 where it is quicker on the CPU, else f32");
  app.add_option("--recipe", a.recipe, fmt::format("{}, or a .json file", fmt::join(recipe_names(), ", ")))
      ->take_last();
  app.add_option_function<std::vector<std::string>>(
         "--set",
         [&a](const std::vector<std::string>& values) {
           for (const std::string& text : values) {
             const std::size_t equals = text.find('=');
             check(equals != std::string::npos, "--set {}: expected key=value, such as decoder.hidden=256", text);
             a.assignments.push_back({text.substr(0, equals), text.substr(equals + 1), "--set " + text});
           }
         },
         "any value of the configuration: --set decoder.hidden=256 loss.label_smoothing=0.1 (see --keys)")
      ->type_name("KEY=VALUE ...");
  app.add_option("--run", a.run, "folder of the run (default: runs/scenes, or runs/ENCODER)")->take_last();
  app.add_flag("--resume", a.resume, "go on where the run in the folder stopped");
  app.add_flag("--overwrite", a.overwrite, "replace the run in the folder")->excludes("--resume");
  app.add_option(
         "--overfit", a.overfit,
         "a first test of a few minutes: learn so many training images by heart, such as 100; 1 is the exit code "
         "where that fails")
      ->check(CLI::Range(2, 10000))
      ->excludes("--resume");
  app.add_flag("--check", a.check, "look at images, captions, memory, disk and time before a run, and exit")
      ->excludes("--resume");
  app.add_flag("--print-config", a.print_config, "print the whole configuration, which is a recipe, and exit");
  app.add_flag("--keys", a.list_keys, "list the values of the configuration and exit");
}

void apply(Config& config, const std::vector<Assignment>& assignments) {
  for (const Assignment& a : assignments) set_config_value(config, a.key, a.value, a.option);
}

/// What the command line asks for when the run begins: the recipe, and over it what the options say.
Config requested(const Arguments& a) {
  Config named;
  apply(named, a.assignments);
  const std::string& init = named.training.init;
  const bool scenes = named.uses_scenes() && (init.empty() || model_config(init).uses_scenes());
  Config config = read_recipe(!a.recipe.empty() ? a.recipe : scenes ? "scenes" : "default");
  if (!init.empty()) config.training.init_hash.clear();  // of another model
  const std::string model = init.empty() ? config.training.init : init;
  if (!model.empty()) config = config_to_begin_with(model, config);
  if (a.overfit > 0) config = overfitting(config, a.overfit);
  apply(config, a.assignments);
  return config;
}

/// The configuration of a run that goes on: as recorded, but for what may change.
Config resumed(const Arguments& a, const std::string& folder) {
  const Config recorded = recorded_config(folder);
  check(a.recipe.empty() || read_recipe(a.recipe).recipe == recorded.recipe,
        "--resume: the run was started with recipe {}, not {}", recorded.recipe, a.recipe);
  Config config = recorded;
  apply(config, a.assignments);
  check_same_run(recorded, config);
  return config;
}

/// `program` is argv[0].
void print_next_steps(const std::string& program, const RunFiles& files, const Config& config, Progress& progress) {
  const std::string model = shell_word(files.best());
  std::string data;
  if (!config.uses_scenes()) {
    data = fmt::format(" --images {} --captions {}", shell_word(config.data.images), shell_word(config.data.captions));
    if (!config.data.splits.empty()) data += " --splits " + shell_word(config.data.splits);
    data += " --split val --beam 3";
  }
  progress.print(fmt::format("model       {}", files.best()));
  progress.print(fmt::format("report      {}", files.report()));
  progress.print(fmt::format("next        {} --model {}{}", shell_word(beside(program, "evaluate")), model, data));
  progress.print(fmt::format("            {} --model {} --attention maps PHOTOGRAPH.jpg",
                             shell_word(beside(program, "caption")), model));
}

/// The exit code of --check.
int check_and_report(const RunRequest& request, Progress& progress) {
  const Interrupt interrupt;
  TerminalObserver observer(progress);
  const int problems = check_run(request, observer);
  progress.clear();
  return problems == 0 ? 0 : 1;
}

/// What a run that was to learn a few captions by heart has shown. Returns the exit code.
int judge_overfitting(const RunOutcome& outcome, const Config& config, Progress& progress) {
  constexpr double enough = 0.9;
  const double bleu = outcome.state.best_score;
  const bool learnt = bleu >= enough;
  progress.print(fmt::format("overfit     {}: BLEU-4 {:.1f} of {} captions that it was trained on; {:.0f} is enough",
                             learnt ? "passed" : "FAILED", 100 * bleu, config.data.overfit, 100 * enough));
  if (!learnt) progress.print("            what is learnt so badly from so little is wired wrongly: see --check");
  return learnt ? 0 : 1;
}

/// Trains, and says how to go on. Returns the exit code.
int train_and_report(const std::string& program, const RunRequest& request, Progress& progress) {
  const Interrupt interrupt;
  TerminalObserver observer(progress);
  const RunOutcome outcome = train(request, observer);
  progress.clear();
  if (outcome.ending == Ending::stopped_before_start)
    progress.print(request.start == RunStart::resume ? "stopped before a further step; the run is as it was"
                                                     : "stopped before the first step; nothing was kept");
  if (outcome.ending == Ending::stopped)
    progress.print(fmt::format("to go on: {} --run {} --resume", shell_word(program), shell_word(request.folder)));
  if (outcome.ending == Ending::stopped || outcome.ending == Ending::stopped_before_start) return stopped_exit_code;
  if (request.config.data.overfit > 0) return judge_overfitting(outcome, request.config, progress);
  print_next_steps(program, RunFiles(request.folder), request.config, progress);
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app("Trains a captioner. Without arguments: on the built-in scenes, from nothing, into runs/scenes.",
               "train_flickr");
  Arguments a;
  add_options(app, a);
  parse_arguments(app, argc, argv);
  if (a.list_keys) {
    for (const ConfigKey& key : config_keys())
      fmt::print("{:<28}{} [{}] {}\n", key.key, key.about, key.valid, key.value);
    return 0;
  }
  RunRequest request;
  request.start = a.start();
  Config config = a.resume && !a.run.empty() && is_run(a.run) ? resumed(a, a.run) : requested(a);
  request.folder = !a.run.empty()         ? a.run
                   : a.overfit > 0        ? "runs/overfit"
                   : config.uses_scenes() ? "runs/scenes"
                                          : "runs/" + config.encoder.name;
  Progress progress;
  if (a.resume && a.run.empty() && is_run(request.folder)) config = resumed(a, request.folder);
  use_device(config.training.device, precision_of(resolved(config.training.matmul, config.training.device)));
  use_threads(config.training.threads);
  config.training.threads = kernels::threads();
  if (a.print_config) {
    fmt::print("{}", config_to_json(config));
    return 0;
  }
  request.config = config;
  if (a.check) return check_and_report(request, progress);
  if (!goes_on(request.folder, request.start) && a.resume)
    progress.print(fmt::format("{}: no checkpoint to go on from; starting from the beginning", request.folder));
  return train_and_report(argv[0], request, progress);
}

}  // namespace

int main(int argc, char** argv) {
  return glimpse::tools::run_program("train_flickr", [&] {
    const int code = run(argc, argv);
    if (code != 0) throw glimpse::tools::Exit{code};
  });
}
