#include "trainer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "glimpse/engine/schedule.h"
#include "glimpse/kernels/base/check.h"
#include "interrupt.h"
#include "program.h"

namespace glimpse::tools {
namespace {

using Json = nlohmann::ordered_json;

/// Steps in a row without a finite gradient after which a run is given up.
constexpr int hopeless = 20;

/// Any other stream than that of the weights, which are drawn from the seed itself.
constexpr std::uint64_t dropout_stream = 0x9e3779b97f4a7c15u;

std::unique_ptr<Optimizer> make_optimizer(const TrainingConfig& t, std::vector<NamedTensor> parameters,
                                          double learning_rate) {
  if (t.optimizer == "sgd")
    return std::make_unique<Sgd>(std::move(parameters), SgdOptions{.learning_rate = learning_rate,
                                                                   .momentum = t.momentum,
                                                                   .weight_decay = t.weight_decay,
                                                                   .clip_value = t.clip_value,
                                                                   .clip_norm = t.clip_norm});
  if (t.optimizer == "rmsprop")
    return std::make_unique<RmsProp>(std::move(parameters), RmsPropOptions{.learning_rate = learning_rate,
                                                                           .momentum = t.momentum,
                                                                           .weight_decay = t.weight_decay,
                                                                           .clip_value = t.clip_value,
                                                                           .clip_norm = t.clip_norm});
  if (t.optimizer == "adamw")
    return std::make_unique<AdamW>(std::move(parameters), AdamWOptions{.learning_rate = learning_rate,
                                                                       .beta1 = t.momentum,
                                                                       .weight_decay = t.weight_decay,
                                                                       .clip_value = t.clip_value,
                                                                       .clip_norm = t.clip_norm});
  return std::make_unique<Adam>(std::move(parameters), AdamOptions{.learning_rate = learning_rate,
                                                                   .beta1 = t.momentum,
                                                                   .weight_decay = t.weight_decay,
                                                                   .clip_value = t.clip_value,
                                                                   .clip_norm = t.clip_norm});
}

/// Six significant digits: what a reader of log.jsonl can use.
double rounded(double x) { return std::stod(fmt::format("{:.6g}", x)); }

}  // namespace

Trainer::Trainer(const TrainerParts& parts)
    : parts_(parts),
      validation_images_(parts.examples.split_or_fail("val")),
      dropout_(static_cast<std::uint64_t>(parts.captioner.config.training.seed) ^ dropout_stream) {
  const TrainingConfig& t = config().training;
  Visitor require([](const std::string&, Tensor& tensor, bool trainable) {
    if (trainable && tensor.defined()) tensor.set_requires_grad();
  });
  parts_.captioner.decoder.visit(require);
  decoder_optimizer_ = make_optimizer(t, parameters(parts_.captioner.decoder), t.learning_rate);
  if (config().trains_encoder())
    encoder_optimizer_ = make_optimizer(t, parameters(parts_.captioner.encoder), config().encoder.learning_rate);
  if (t.schedule == "plateau") plateau_ = PlateauDecay({.factor = t.decay, .patience = t.decay_every});
  std::int64_t captions = 0;
  for (const CaptionedImage* image : parts.examples.split_or_fail("train")) captions += std::ssize(image->captions);
  batches_per_epoch_ = (captions + t.batch - 1) / t.batch;
  state_.data = parts_.data_fingerprint;
  state_.dropout = dropout_.state();
}

std::int64_t Trainer::parameter_count() const {
  std::int64_t count = 0;
  for (const Optimizer* optimizer : {decoder_optimizer_.get(), encoder_optimizer_.get()})
    if (optimizer != nullptr)
      for (const NamedTensor& parameter : optimizer->parameters()) count += parameter.tensor.numel();
  return count;
}

std::vector<NamedTensor> Trainer::checkpoint_tensors() {
  std::vector<NamedTensor> tensors = with_prefix("decoder.", named_tensors(parts_.captioner.decoder));
  const auto add = [&](const std::string& prefix, std::vector<NamedTensor> more) {
    for (NamedTensor& tensor : with_prefix(prefix, std::move(more))) tensors.push_back(std::move(tensor));
  };
  add("decoder_optimizer.", decoder_optimizer_->state());
  if (encoder_optimizer_) {
    add("encoder.", named_tensors(parts_.captioner.encoder));
    add("encoder_optimizer.", encoder_optimizer_->state());
  }
  return tensors;
}

void Trainer::write_last() {
  state_.dropout = dropout_.state();
  state_.plateau = plateau_.state();
  state_.seconds = seconds_before_ + watch_.seconds();
  state_.log_bytes = log_->bytes();
  write_checkpoint(parts_.folder.last(), state_, checkpoint_tensors());
}

void Trainer::resume() {
  const std::string path = parts_.folder.last();
  const Checkpoint checkpoint = read_checkpoint(path);
  check(checkpoint.state.data == parts_.data_fingerprint,
        "{}: images, captions or vocabulary are not those that this run began with", path);
  load_tensors(named_tensors(parts_.captioner.decoder), under_prefix("decoder.", checkpoint.tensors), path);
  decoder_optimizer_->load_state(under_prefix("decoder_optimizer.", checkpoint.tensors));
  if (encoder_optimizer_) {
    load_tensors(named_tensors(parts_.captioner.encoder), under_prefix("encoder.", checkpoint.tensors), path);
    encoder_optimizer_->load_state(under_prefix("encoder_optimizer.", checkpoint.tensors));
  }
  state_ = checkpoint.state;
  dropout_.set_state(state_.dropout);
  plateau_.set_state(state_.plateau);
  seconds_before_ = state_.seconds;
  state_.finished = is_finished();  // a run that had come to its end goes on when it was given more epochs
}

bool Trainer::is_finished() const {
  const TrainingConfig& t = config().training;
  return state_.epoch >= t.epochs || (t.patience > 0 && state_.stale_epochs >= t.patience);
}

double Trainer::rate_factor() const {
  const TrainingConfig& t = config().training;
  const double warm = LinearWarmUp{t.warmup_steps}(state_.step);
  if (t.schedule == "step") return warm * StepDecay{t.decay, t.decay_every}(state_.epoch);
  if (t.schedule == "plateau") return warm * plateau_.factor();
  if (t.schedule == "cosine") return warm * CosineDecay{t.epochs * batches_per_epoch_, t.decay}(state_.step);
  return warm;
}

bool Trainer::step(const TrainingBatch& batch) {
  const double factor = rate_factor();
  decoder_optimizer_->set_learning_rate(config().training.learning_rate * factor);
  const Device device = parts_.captioner.device();
  Tensor features;
  if (encoder_optimizer_) {
    encoder_optimizer_->set_learning_rate(config().encoder.learning_rate * factor);
    features = gather_rows(parts_.captioner.encoder.forward(batch.pixels), batch.pixel_index.to(device));
  } else {
    check(batch.features.defined(), "training: a frozen encoder without a feature cache");
    features = batch.features.to(device);
  }
  const DecoderLoss loss = parts_.captioner.decoder.loss(features, batch.tokens, dropout_, loss_options(config()));
  loss.total.backward();
  const bool decoder_moved = decoder_optimizer_->step();
  const bool encoder_moved = !encoder_optimizer_ || encoder_optimizer_->step();
  last_loss_ = loss.cross_entropy;
  last_penalty_ = loss.attention_penalty;
  if (decoder_moved && encoder_moved) {
    state_.loss_sum += loss.cross_entropy * static_cast<double>(loss.tokens);
    state_.loss_words += loss.tokens;
    failed_in_a_row_ = 0;
    return true;
  }
  ++state_.skipped_steps;
  check(++failed_in_a_row_ < hopeless,
        "training: the gradient of {} has not been finite for {} steps; try a smaller --learning-rate",
        decoder_moved ? encoder_optimizer_->non_finite() : decoder_optimizer_->non_finite(), hopeless);
  return false;
}

void Trainer::log_step(double loss, double attention_penalty, double rate, double wait) {
  const Json line = {{"step", state_.step},
                     {"epoch", state_.epoch + 1},
                     {"loss", rounded(loss)},
                     {"attention_penalty", rounded(attention_penalty)},
                     {"learning_rate", rounded(decoder_optimizer_->learning_rate())},
                     {"gradient_norm", rounded(decoder_optimizer_->gradient_norm())},
                     {"captions_per_s", rounded(rate)},
                     {"data_wait", rounded(wait)},
                     {"seconds", rounded(seconds_before_ + watch_.seconds())}};
  log_->write(line.dump());
}

void Trainer::show_progress(double rate, double wait_share) {
  if (!parts_.progress.due()) return;
  const TrainingConfig& t = config().training;
  const std::int64_t steps_left = t.epochs * batches_per_epoch_ - state_.step;
  const double step_seconds = static_cast<double>(t.batch) / std::max(rate, 1e-9);
  const double seconds_left = static_cast<double>(steps_left) * step_seconds +
                              static_cast<double>(t.epochs - state_.epoch) * validation_seconds_;
  parts_.progress.update(fmt::format(
      "epoch {}/{}  step {}/{}  loss {:.3f}  {:.0f} captions/s  data wait {:.0f} %  ETA {}", state_.epoch + 1, t.epochs,
      state_.position, batches_per_epoch_, last_loss_, rate, 100 * wait_share, human_seconds(seconds_left)));
}

void Trainer::train_epoch(TrainingBatches& batches) {
  const Stopwatch watch;
  const double waited_before = batches.wait_seconds();
  std::int64_t captions = 0;
  while (state_.position < batches_per_epoch_) {
    const TrainingBatch batch = batches.next();
    step(batch);
    captions += batch.tokens.rows();
    ++state_.step;
    ++state_.position;
    captions_per_s_ = static_cast<double>(captions) / watch.seconds();
    const double wait = (batches.wait_seconds() - waited_before) / watch.seconds();
    if (state_.step % config().training.log_every == 0) log_step(last_loss_, last_penalty_, captions_per_s_, wait);
    show_progress(captions_per_s_, wait);
    const bool stop = Interrupt::requested();
    if (stop || state_.position == batches_per_epoch_ || state_.step % config().training.checkpoint_every == 0)
      write_last();
    if (stop) throw Stopped{};
  }
}

void Trainer::keep_if_best(const Validation& validation) {
  const bool by_cider = config().training.keep_best == "cider";
  const double score = by_cider ? validation.scores.cider_d : validation.scores.bleu[3];
  if (config().training.schedule == "plateau") plateau_.observe(score);
  if (score <= state_.best_score) {
    ++state_.stale_epochs;
    return;
  }
  state_.best_score = score;
  state_.best_epoch = state_.epoch;
  state_.stale_epochs = 0;
  const Json scores = {{"epoch", state_.epoch + 1},           {"split", "val"},
                       {"beam", config().validation.beam},    {"images", validation.scores.images},
                       {"bleu", validation.scores.bleu},      {"rouge_l", validation.scores.rouge_l},
                       {"cider_d", validation.scores.cider_d}};
  save_captioner(parts_.captioner, parts_.folder.best(), {{"scores", scores.dump()}});
}

void Trainer::log_epoch(const Validation& v, double rate) {
  const bool best = state_.best_epoch == state_.epoch;
  const double train_loss = state_.loss_sum / static_cast<double>(std::max<std::int64_t>(state_.loss_words, 1));
  std::array<double, 4> bleu{};
  std::transform(v.scores.bleu.begin(), v.scores.bleu.end(), bleu.begin(), rounded);
  const Json line = {{"epoch", state_.epoch + 1},
                     {"step", state_.step},
                     {"train_loss", rounded(train_loss)},
                     {"val_loss", rounded(v.forced.loss)},
                     {"val_top5", rounded(v.forced.top5)},
                     {"val_bleu", bleu},
                     {"val_rouge_l", rounded(v.scores.rouge_l)},
                     {"val_cider_d", rounded(v.scores.cider_d)},
                     {"distinct", rounded(v.statistics.distinct)},
                     {"unknown", rounded(v.statistics.unknown)},
                     {"mean_length", rounded(v.statistics.mean_length)},
                     {"best", best},
                     {"learning_rate", rounded(decoder_optimizer_->learning_rate())},
                     {"skipped_steps", state_.skipped_steps},
                     {"captions_per_s", rounded(rate)},
                     {"validation_seconds", rounded(v.seconds)},
                     {"peak_tensor_bytes", memory_stats(parts_.captioner.device()).peak},
                     {"seconds", rounded(seconds_before_ + watch_.seconds())}};
  log_->write(line.dump());
  parts_.progress.print(fmt::format(
      "epoch {:>2}/{}  loss {:.3f}  val loss {:.3f}  top-5 {:.1f} %  BLEU-4 {:.1f}  CIDEr {:.3f}  distinct {:.0f} %  "
      "unk {:.1f} %  {:.0f} captions/s  {}{}",
      state_.epoch + 1, config().training.epochs, train_loss, v.forced.loss, 100 * v.forced.top5,
      100 * v.scores.bleu[3], v.scores.cider_d, 100 * v.statistics.distinct, 100 * v.statistics.unknown, rate,
      human_seconds(seconds_before_ + watch_.seconds()), best ? "  *" : ""));
}

void Trainer::end_epoch() {
  const FeatureFunction features = parts_.cache != nullptr ? cached_features(*parts_.cache, parts_.captioner.device())
                                                           : encoded_features(parts_.captioner, parts_.examples);
  const auto watch = [&](std::int64_t done) {
    if (parts_.progress.due())
      parts_.progress.update(fmt::format("epoch {}/{}  validation {}/{}", state_.epoch + 1, config().training.epochs,
                                         done, validation_images_.size()));
    return !Interrupt::requested();
  };
  const Validation validation =
      validate(parts_.captioner.decoder, parts_.vocabulary, validation_images_, features, config().validation, watch);
  validation_seconds_ = validation.seconds;
  keep_if_best(validation);
  log_epoch(validation, captions_per_s_);
  ++state_.epoch;
  state_.position = 0;
  state_.loss_sum = 0;
  state_.loss_words = 0;
  state_.finished = is_finished();
  write_last();
}

Ending Trainer::run() {
  log_ = std::make_unique<RunLog>(parts_.folder.log(), state_.log_bytes);
  const bool between_epochs = state_.position == batches_per_epoch_;
  TrainingBatches batches(
      {parts_.examples, parts_.vocabulary, parts_.cache, parts_.captioner.preprocessing, parts_.captioner.device()},
      config(),
      between_epochs ? BatchSampler::State{state_.epoch + 1, 0} : BatchSampler::State{state_.epoch, state_.position});
  try {
    while (!state_.finished) {
      train_epoch(batches);
      end_epoch();
    }
  } catch (const Stopped&) {
    return Ending::stopped_by_user;
  }
  return state_.epoch >= config().training.epochs ? Ending::last_epoch : Ending::no_better_score;
}

}  // namespace glimpse::tools
