#include "glimpse/models/training/training_run.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "glimpse/engine/io/file.h"
#include "glimpse/engine/memory.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/captioner/features.h"
#include "glimpse/models/training/internal/preparation.h"
#include "glimpse/models/training/run_report.h"

namespace glimpse {
namespace {

/// What may change between the parts of a run: where things lie, and when it ends.
const std::vector<std::string> free_keys{"data.images",       "data.captions",    "data.splits",
                                         "data.features",     "data.cache",       "data.max_pixels",
                                         "training.init",     "encoder.weights",  "training.epochs",
                                         "training.patience", "training.threads", "training.checkpoint_every",
                                         "training.log_every"};

void say_ending(const Trainer& trainer, const RunOutcome& outcome, const Config& config, Observer& observer) {
  const TrainingState& s = trainer.state();
  if (outcome.ending == Ending::stopped) {
    observer.say(fmt::format("stopped in epoch {} after step {}", s.epoch + 1, s.step));
    return;
  }
  if (outcome.ending == Ending::no_better_score)
    observer.say(fmt::format("stopped after epoch {}: {} epochs without a better score", s.epoch, s.stale_epochs));
  Score best = score_named(config.training.keep_best);
  best.value = best.higher_is_better ? s.best_score : -s.best_score;
  observer.say(fmt::format("best epoch {}: {} {} on the validation split, beam {}", s.best_epoch + 1, best.label,
                           best.text(), config.validation.beam));
}

/// Trains in a folder that is ready.
RunOutcome train_in(const RunFolder& folder, Preparation& p, Trainer& trainer, Observer& observer) {
  std::optional<FeatureCache> cache;
  if (!p.feature_path.empty())
    cache.emplace(open_features(p.model, p.dataset, p.dataset.all(), p.inputs.weights, p.feature_path, observer,
                                p.config().data.views, p.inputs.images));
  release_cached_memory();
  RunOutcome outcome;
  outcome.ending = trainer.run(cache ? &*cache : nullptr);
  outcome.state = trainer.state();
  say_ending(trainer, outcome, p.config(), observer);
  if (outcome.ending != Ending::stopped)
    write_run_report(folder, p.dataset, cache ? &*cache : nullptr, trainer.state(), p.model.device(), observer);
  return outcome;
}

RunOutcome prepare_and_train(const RunRequest& request, Observer& observer) {
  const bool resumes = goes_on(request.folder, request.start);
  Preparation p = prepare(request, resumes, observer);
  say_plan(p, request.folder, observer);
  RunFolder folder(request.folder, bytes_to_write(p));
  check(goes_on(request.folder, request.start) == resumes, "{}: another process has trained there meanwhile",
        request.folder);
  Trainer trainer({p.model, p.dataset, folder, observer, p.inputs});
  if (resumes) {
    trainer.resume();
    observer.say(fmt::format("resuming    at epoch {}, step {}{}", trainer.state().epoch + 1, trainer.state().step,
                             trainer.state().finished ? ": nothing is left to train" : ""));
  }
  try {
    if (!resumes) folder.clear();
    write_file_atomically(folder.config(), config_to_json(p.config()));
    if (!resumes && !p.skipped.empty()) write_file_atomically(folder.skipped(), skipped_list(p.skipped));
    return train_in(folder, p, trainer, observer);
  } catch (...) {
    if (!resumes && !std::filesystem::exists(folder.last())) folder.abandon();
    throw;
  }
}

}  // namespace

Dataset open_dataset(const Config& config) {
  if (config.uses_scenes()) {
    check(config.data.captions.empty(), "captions {} without photographs: --images names their folder",
          config.data.captions);
    const SceneCounts counts{config.scenes.train, config.scenes.val, config.scenes.test};
    return Dataset(SceneDataset(static_cast<std::uint64_t>(config.scenes.seed), counts));
  }
  check(!config.data.captions.empty(), "images {} without captions: --captions names the file", config.data.images);
  Dataset dataset(config.data.images, config.data.captions, config.data.splits,
                  choice_named<WordRule>(config.data.words));
  dataset.set_max_pixels(config.data.max_pixels);
  return dataset;
}

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

Config overfitting(Config config, int images) {
  for (const ConfigKey& k : config_keys(config))
    if (k.key.find("dropout") != std::string::npos) set_config_value(config, k.key, "0", "overfit");
  config.data.overfit = images;
  config.data.views = 1;
  config.data.min_count = 1;
  config.scheduled_sampling.limit = 0;
  config.loss = {.doubly_stochastic = 0, .reduction = Reduction::tutorial, .label_smoothing = 0};
  TrainingConfig& t = config.training;
  t.objective = Objective::cross_entropy;
  t.epochs = 10;
  t.epoch_steps = 40;
  t.optimizer = OptimizerKind::adam;
  t.learning_rate = 1e-3;
  t.momentum = 0.9;
  t.weight_decay = 0;
  t.schedule = ScheduleKind::constant;
  t.warmup_steps = 0;
  t.ema = 0;
  t.patience = 0;
  t.keep_best = "bleu4";
  config.validation.beam = 1;
  return config;
}

RunOutcome train(const RunRequest& request, Observer& observer) {
  try {
    return prepare_and_train(request, observer);
  } catch (const Stopped&) {
    return {Ending::stopped_before_start, {}};
  }
}

}  // namespace glimpse
