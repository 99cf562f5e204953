#include "glimpse/models/training/trainer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "glimpse/engine/device.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/models/captioner/features.h"

namespace glimpse {
namespace {

using Json = nlohmann::ordered_json;

/// Steps in a row without a finite gradient after which a run is given up.
constexpr int most_failures = 20;

/// While it lives, the model has the averages of its weights.
class Averaged {
 public:
  explicit Averaged(TrainStep& step) : step_(step) { step_.swap_averages(); }
  ~Averaged() { step_.swap_averages(); }
  Averaged(const Averaged&) = delete;
  Averaged& operator=(const Averaged&) = delete;

 private:
  TrainStep& step_;
};

}  // namespace

Trainer::Trainer(const TrainerParts& parts)
    : parts_(parts),
      validation_images_(parts.dataset.require_split("val")),
      step_(parts.model, parts.dataset.require_split("train")) {
  const TrainingConfig& t = config().training;
  if (t.schedule == ScheduleKind::plateau) plateau_ = PlateauDecay({.factor = t.decay, .patience = t.decay_every});
  batches_per_pass_ = TrainingBatches::in_pass(config(), parts.dataset.require_split("train"));
  const std::int64_t least = static_cast<std::int64_t>(t.epoch_steps) * t.accumulate;
  const std::int64_t passes = (least + batches_per_pass_ - 1) / batches_per_pass_;
  batches_per_epoch_ = batches_per_pass_ * std::max<std::int64_t>(passes, 1);
  state_.inputs = parts_.inputs;
  state_.dropout = step_.dropout();
}

void Trainer::write_last() {
  settle();
  state_.dropout = step_.dropout();
  state_.baseline = step_.baseline();
  state_.plateau = plateau_.state();
  state_.seconds = seconds();
  log_->sync();  // the checkpoint counts on these lines
  state_.log_bytes = log_->bytes();
  write_checkpoint(parts_.folder.last(), state_, step_.tensors());
}

void Trainer::resume() {
  const std::string path = parts_.folder.last();
  const Checkpoint checkpoint = read_checkpoint(path);
  const RunInputs &begun = checkpoint.state.inputs, &now = parts_.inputs;
  check(begun.captions == now.captions, "{}: captions or vocabulary are not those that this run began with", path);
  check(begun.images == now.images, "{}: the images are not those that this run began with: a file has other content",
        path);
  check(begun.init == now.init, "{}: the model {} is not the one that this run began with", path,
        config().training.init);
  check(begun.weights == now.weights, "{}: the encoder's weights {} are not those that this run began with", path,
        config().encoder.weights);
  step_.load_tensors(checkpoint.tensors, path);
  state_ = checkpoint.state;
  step_.set_dropout(state_.dropout);
  step_.set_baseline(state_.baseline);
  plateau_.set_state(state_.plateau);
  seconds_before_ = state_.seconds;
  state_.finished = is_finished();  // a run that had come to its end goes on when it was given more epochs
}

bool Trainer::is_finished() const {
  const TrainingConfig& t = config().training;
  return state_.epoch >= t.epochs || (t.patience > 0 && state_.stale_epochs >= t.patience);
}

std::int64_t Trainer::steps_per_epoch() const {
  const std::int64_t batches = config().training.accumulate;
  return (batches_per_epoch_ + batches - 1) / batches;
}

double Trainer::rate_factor() const {
  const TrainingConfig& t = config().training;
  const std::int64_t steps = t.epochs * steps_per_epoch();
  if (t.schedule == ScheduleKind::one_cycle) return OneCycle{steps, t.warmup_steps, t.decay}(state_.step);
  const double warm = LinearWarmUp{t.warmup_steps}(state_.step);
  switch (t.schedule) {
    case ScheduleKind::step:
      return warm * StepDecay{t.decay, t.decay_every}(state_.epoch);
    case ScheduleKind::plateau:
      return warm * plateau_.factor();
    case ScheduleKind::cosine:
      return warm * CosineDecay{steps, t.decay}(state_.step);
    case ScheduleKind::constant:
    case ScheduleKind::one_cycle:
      break;
  }
  return warm;
}

void Trainer::step(std::span<const TrainingBatch> batches) {
  const ScheduledSamplingConfig& sampling = config().scheduled_sampling;
  step_.set_scheduled_sampling(StepRise{sampling.rise, sampling.every, sampling.limit}(state_.epoch));
  step_.enqueue(batches, rate_factor());
  ++state_.step;
  state_.position += std::ssize(batches);
  // On a GPU the results of the steps are read where a line of the log needs them: until then it is never waited for.
  // The first is of interest at once.
  if (step_.has_results() || last_.tokens == 0 || state_.step % config().training.log_every == 0) settle();
}

/// Takes up the results of the steps so far. A step whose gradient was not finite has changed nothing on the device, so
/// it does no harm that it is learnt of up to log_every steps later.
void Trainer::settle() {
  for (StepResult& result : step_.results()) {
    last_ = std::move(result);
    if (last_.updated) {
      state_.loss_sum += last_.loss * static_cast<double>(last_.tokens);
      state_.loss_words += last_.tokens;
      failed_in_a_row_ = 0;
      continue;
    }
    ++state_.skipped_steps;
    check(++failed_in_a_row_ < most_failures,
          "training: the gradient of {} has not been finite for {} steps; try a smaller --learning-rate",
          last_.not_finite, most_failures);
  }
}

std::string Trainer::progress_line(double wait_share) const {
  const TrainingConfig& t = config().training;
  const std::int64_t batches_left = (t.epochs - state_.epoch) * batches_per_epoch_ - state_.position;
  const double batch_seconds = static_cast<double>(t.batch) / std::max(captions_per_s_, 1e-9);
  const double seconds_left = static_cast<double>(batches_left) * batch_seconds +
                              static_cast<double>(t.epochs - state_.epoch) * validation_seconds_;
  const std::string reward = last_.reward ? fmt::format("  CIDEr-D {:.3f}", *last_.reward) : "";
  return fmt::format("epoch {}/{}  step {}/{}  loss {:.3f}{}  {:.0f} captions/s  data wait {:.0f} %  ETA {}",
                     state_.epoch + 1, t.epochs, state_.position, batches_per_epoch_, last_.loss, reward,
                     captions_per_s_, 100 * wait_share, human_seconds(seconds_left));
}

void Trainer::train_epoch(TrainingBatches& batches) {
  const TrainingConfig& t = config().training;
  const Stopwatch watch;
  const double waited_before = batches.wait_seconds();
  std::int64_t captions = 0;
  while (state_.position < batches_per_epoch_) {
    std::vector<TrainingBatch> next;
    while (std::ssize(next) < std::min<std::int64_t>(t.accumulate, batches_per_epoch_ - state_.position)) {
      next.push_back(batches.next());
      captions += next.back().tokens.rows();
    }
    step(next);
    captions_per_s_ = static_cast<double>(captions) / watch.seconds();
    const double wait = (batches.wait_seconds() - waited_before) / watch.seconds();
    if (state_.step % t.log_every == 0)
      log_->write(StepRecord{state_.step, state_.epoch + 1, last_, captions_per_s_, wait, seconds()});
    parts_.observer.progress([&] { return progress_line(wait); });
    const bool stop = parts_.observer.stop();
    if (stop || state_.position == batches_per_epoch_ || state_.step % t.checkpoint_every == 0) write_last();
    if (stop) throw Stopped();
  }
}

void Trainer::keep_if_best(const Validation& validation) {
  const std::string& by = config().training.keep_best;
  const double value = validation.scores[by], score = score_named(by).higher_is_better ? value : -value;
  if (config().training.schedule == ScheduleKind::plateau) plateau_.observe(score);
  if (state_.best_epoch >= 0 && !(score > state_.best_score)) {
    ++state_.stale_epochs;
    return;
  }
  state_.best_score = score;
  state_.best_epoch = state_.epoch;
  state_.stale_epochs = 0;
  Json scores = {{"epoch", state_.epoch + 1},
                 {"split", "val"},
                 {"beam", config().validation.beam},
                 {"images", validation.scores.images}};
  scores.update(Json::parse(validation.scores.json()));
  save_model(parts_.model, parts_.folder.best(), {{"scores", scores.dump()}}, step_.averages());
}

void Trainer::say_epoch(const EpochRecord& r) {
  const Validation& v = r.validation;
  std::string scores;
  for (const Score& score : v.scores.all)
    if (score.of_metric) scores += fmt::format("{} {}  ", score.label, score.text());
  const std::string endings =
      config().is_self_critical() ? fmt::format("bad endings {:.1f} %  ", 100 * v.statistics.bad_endings) : "";
  parts_.observer.say(fmt::format(
      "epoch {:>2}/{}  loss {:.3f}  val loss {:.3f}  top-5 {:.1f} %  {}(beam {})  distinct {:.0f} %  unk {:.1f} %  "
      "{}{:.0f} captions/s  {}{}",
      r.epoch, config().training.epochs, r.train_loss, v.forced.loss, 100 * v.forced.top5, scores,
      config().validation.beam, 100 * v.statistics.distinct, 100 * v.statistics.unknown, endings, r.captions_per_s,
      human_seconds(r.seconds), r.best ? "  *" : ""));
}

void Trainer::end_epoch() {
  const CaptionModel& model = parts_.model;
  const auto watch = [&](std::int64_t done) {
    parts_.observer.progress([&] {
      return fmt::format("epoch {}/{}  validation {}/{}", state_.epoch + 1, config().training.epochs, done,
                         validation_images_.size());
    });
    return !parts_.observer.stop();
  };
  const Validation validation = [&] {
    const Averaged averaged(step_);
    const ExactProducts exact(model.device());
    const FeatureFunction features =
        cache_ != nullptr ? cached_features(model, *cache_) : encoded_features(model, parts_.dataset);
    Validation result = validate(model, validation_images_, features, watch);
    keep_if_best(result);
    return result;
  }();
  validation_seconds_ = validation.seconds;
  const EpochRecord record{
      .epoch = state_.epoch + 1,
      .step = state_.step,
      .train_loss = state_.loss_sum / static_cast<double>(std::max<std::int64_t>(state_.loss_words, 1)),
      .validation = validation,
      .best = state_.best_epoch == state_.epoch,
      .learning_rate = step_.learning_rate(),
      .skipped_steps = state_.skipped_steps,
      .captions_per_s = captions_per_s_,
      .peak_tensor_bytes = memory_stats(model.device()).peak,
      .seconds = seconds()};
  log_->write(record);
  say_epoch(record);
  ++state_.epoch;
  state_.position = 0;
  state_.loss_sum = 0;
  state_.loss_words = 0;
  state_.finished = is_finished();
  write_last();
}

Ending Trainer::run(const FeatureCache* cache) {
  cache_ = cache;
  log_ = std::make_unique<RunLog>(parts_.folder.log(), state_.log_bytes);
  const std::int64_t done = state_.epoch * batches_per_epoch_ + state_.position;
  TrainingBatches batches(parts_.model, parts_.dataset, cache_,
                          BatchSampler::State{done / batches_per_pass_, done % batches_per_pass_});
  if (batches.resident_bytes() > 0)
    parts_.observer.say(fmt::format("features    {} in the memory of the GPU",
                                    human_bytes(static_cast<double>(batches.resident_bytes()))));
  try {
    while (!state_.finished) {
      train_epoch(batches);
      end_epoch();
    }
  } catch (const Stopped&) {
    return Ending::stopped;
  }
  return state_.epoch >= config().training.epochs ? Ending::last_epoch : Ending::no_better_score;
}

}  // namespace glimpse
