#include "glimpse/models/training/train_step.h"

#include <utility>

#include "glimpse/kernels/base/check.h"
#include "glimpse/models/training/checkpoint.h"

namespace glimpse {
namespace {

/// Any other stream than that of the weights, which are drawn from the seed itself.
constexpr std::uint64_t dropout_stream = 0x9e3779b97f4a7c15u;

std::unique_ptr<Optimizer> make_optimizer(const TrainingConfig& t, std::vector<NamedTensor> parameters,
                                          double learning_rate) {
  switch (t.optimizer) {
    case OptimizerKind::sgd:
      return std::make_unique<Sgd>(std::move(parameters), SgdOptions{.learning_rate = learning_rate,
                                                                     .momentum = t.momentum,
                                                                     .weight_decay = t.weight_decay,
                                                                     .clip_value = t.clip_value,
                                                                     .clip_norm = t.clip_norm});
    case OptimizerKind::rmsprop:
      return std::make_unique<RmsProp>(std::move(parameters), RmsPropOptions{.learning_rate = learning_rate,
                                                                             .momentum = t.momentum,
                                                                             .weight_decay = t.weight_decay,
                                                                             .clip_value = t.clip_value,
                                                                             .clip_norm = t.clip_norm});
    case OptimizerKind::adamw:
      return std::make_unique<AdamW>(std::move(parameters), AdamWOptions{.learning_rate = learning_rate,
                                                                         .beta1 = t.momentum,
                                                                         .weight_decay = t.weight_decay,
                                                                         .clip_value = t.clip_value,
                                                                         .clip_norm = t.clip_norm});
    case OptimizerKind::adam:
      break;
  }
  return std::make_unique<Adam>(std::move(parameters), AdamOptions{.learning_rate = learning_rate,
                                                                   .beta1 = t.momentum,
                                                                   .weight_decay = t.weight_decay,
                                                                   .clip_value = t.clip_value,
                                                                   .clip_norm = t.clip_norm});
}

}  // namespace

TrainStep::TrainStep(CaptionModel& model, const ImageList& images)
    : model_(model),
      numbers_(model.device()),
      dropout_(static_cast<std::uint64_t>(model.config.training.seed) ^ dropout_stream) {
  if (model.config.is_self_critical()) self_critical_.emplace(model, images);
  Visitor require([](const std::string&, Tensor& tensor, bool trainable) {
    if (trainable && tensor.defined()) tensor.set_requires_grad();
  });
  model.decoder.visit(require);
  add_part("decoder", parameters(model.decoder), model.config.training.learning_rate);
  if (model.config.trains_encoder()) add_part("encoder", parameters(model.encoder), model.config.encoder.learning_rate);
}

void TrainStep::add_part(const std::string& name, std::vector<NamedTensor> parameters, double learning_rate) {
  const TrainingConfig& t = model_.config.training;
  Part part{name, make_optimizer(t, std::move(parameters), learning_rate), nullptr};
  if (t.ema > 0) part.average = std::make_unique<WeightAverage>(*part.optimizer, t.ema);
  parts_.push_back(std::move(part));
}

void TrainStep::set_scheduled_sampling(double probability) {
  check(probability >= 0 && probability <= 1, "training: scheduled sampling {} is outside [0,1]", probability);
  scheduled_sampling_ = probability;
}

/// `tokens` are the batch's, on the model's device.
Tensor TrainStep::features_of(const TrainingBatch& batch, const TokenBatch& tokens) const {
  if (batch.store) return model_.encoder.forward_rest(batch.store->rows(tokens.stored));
  if (batch.features.defined()) return model_.encoder.forward_rest(batch.features.to(model_.device()));
  const bool trained = parts_.size() > 1;
  check(trained && batch.pixels.defined(), "training: {} needs batches of {}",
        trained ? "an encoder that is trained" : "a frozen encoder", trained ? "pixels" : "features");
  return model_.encoder.forward(batch.pixels);
}

void TrainStep::add_gradients(std::span<const TrainingBatch> batches, Pending& step) {
  LossOptions options = loss_options(model_.config);
  options.baseline = baseline_;
  options.scheduled_sampling = step.result.scheduled_sampling = scheduled_sampling_;
  for (const TrainingBatch& batch : batches) {
    options.of_tokens += batch.tokens.tokens();
    options.of_rows += batch.tokens.rows();
  }
  const double drawn_share = 1 / static_cast<double>(batches.size());
  const double weight = self_critical_ ? model_.config.self_critical.cross_entropy : 1;
  for (const TrainingBatch& batch : batches) {
    const TokenBatch tokens = batch.tokens.to(model_.device());
    const Tensor features = features_of(batch, tokens);
    Tensor total;
    if (weight > 0) total = true_loss(tokens, features, options, step);
    if (self_critical_) {
      const SelfCritical::Result drawn = (*self_critical_)(batch.images, features, dropout_);
      const Tensor loss = drawn.loss * drawn_share;
      total = total.defined() ? loss + total * weight : loss;
      step.result.reward = step.result.reward.value_or(0) + drawn.reward * drawn_share;
    }
    total.backward();
  }
}

/// The loss of the true captions, a part of that of several batches.
Tensor TrainStep::true_loss(const TokenBatch& tokens, const Tensor& features, const LossOptions& options,
                            Pending& step) {
  const DecoderLoss loss = model_.decoder.loss(features, tokens, dropout_, options);
  step.losses.push_back({numbers_.keep(loss.cross_entropy), numbers_.keep(loss.attention_penalty),
                         static_cast<double>(loss.tokens), static_cast<double>(tokens.rows()),
                         static_cast<double>(options.of_tokens), static_cast<double>(options.of_rows)});
  step.result.tokens += loss.tokens;
  sampled_captions_ += loss.sampled_captions;
  sampled_log_p_ += loss.sampled_log_probability * static_cast<double>(loss.sampled_captions);
  return loss.total;
}

void TrainStep::update(Pending& step) {
  for (const Part& part : parts_) {
    part.optimizer->step_ahead();
    if (part.average) part.average->update();
    step.decisions.push_back(numbers_.keep(part.optimizer->decision()));
  }
  step.result.learning_rate = learning_rate();
}

StepResult TrainStep::result_of(const Pending& step, const std::vector<double>& numbers) const {
  StepResult result = step.result;
  for (const Pending::Loss& loss : step.losses) {
    const double cross_entropy = loss.cross_entropy.in(numbers), penalty = loss.attention_penalty.in(numbers);
    result.loss += cross_entropy * loss.tokens / loss.of_tokens;
    result.attention_penalty += penalty * loss.rows / loss.of_rows;
  }
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    const Optimizer& optimizer = *parts_[p].optimizer;
    const std::span<const double> decision(numbers.data() + step.decisions[p], optimizer.decision().numel());
    const StepOutcome outcome = optimizer.outcome_of(decision);
    if (p == 0) result.gradient_norm = outcome.gradient_norm;
    if (!outcome.updated && result.updated) result.not_finite = outcome.non_finite;
    result.updated = result.updated && outcome.updated;
  }
  return result;
}

/// Reads what is pending.
void TrainStep::settle() {
  const std::vector<double> numbers = numbers_.read();
  for (const Pending& step : pending_) results_.push_back(result_of(step, numbers));
  pending_.clear();
}

/// Whether the result of a step is read at once: the next baseline of hard attention depends on it, and on the CPU
/// there is nothing to wait for.
bool TrainStep::waits() const { return model_.device() == Device::cpu || model_.config.decoder.is_hard(); }

/// b = 0.9 b + 0.1 log p (paper, 4.1), by the mean over the captions of this step that read drawn locations.
void TrainStep::move_baseline() {
  if (sampled_captions_ > 0)
    baseline_ = 0.9 * baseline_ + 0.1 * sampled_log_p_ / static_cast<double>(sampled_captions_);
}

void TrainStep::enqueue(std::span<const TrainingBatch> batches, double rate_factor) {
  check(!batches.empty(), "training: a step needs a batch");
  parts_[0].optimizer->set_learning_rate(model_.config.training.learning_rate * rate_factor);
  if (parts_.size() > 1) parts_[1].optimizer->set_learning_rate(model_.config.encoder.learning_rate * rate_factor);
  Pending step;
  if (model_.config.decoder.is_hard()) step.result.baseline = baseline_;
  sampled_log_p_ = 0;
  sampled_captions_ = 0;
  add_gradients(batches, step);
  update(step);
  pending_.push_back(std::move(step));
  if (!waits()) return;
  settle();
  if (results_.back().updated) move_baseline();
}

std::vector<StepResult> TrainStep::results() {
  settle();
  return std::exchange(results_, {});
}

StepResult TrainStep::operator()(std::span<const TrainingBatch> batches, double rate_factor) {
  enqueue(batches, rate_factor);
  settle();
  StepResult result = std::move(results_.back());
  results_.pop_back();
  return result;
}

std::vector<NamedTensor> TrainStep::model_tensors(const Part& part) {
  return part.name == "decoder" ? named_tensors(model_.decoder) : named_tensors(model_.encoder);
}

std::vector<NamedTensor> TrainStep::tensors() {
  std::vector<NamedTensor> tensors;
  const auto add = [&](const std::string& prefix, std::vector<NamedTensor> more) {
    for (NamedTensor& tensor : with_prefix(prefix, std::move(more))) tensors.push_back(std::move(tensor));
  };
  for (const Part& part : parts_) {
    add(part.name + ".", model_tensors(part));
    add(part.name + "_optimizer.", part.optimizer->state());
    if (part.average) add(part.name + "_average.", part.average->state());
  }
  return tensors;
}

void TrainStep::load_tensors(const std::vector<NamedTensor>& tensors, const std::string& path) {
  for (const Part& part : parts_) {
    glimpse::load_tensors(model_tensors(part), under_prefix(part.name + ".", tensors), path);
    part.optimizer->load_state(under_prefix(part.name + "_optimizer.", tensors));
    if (part.average) part.average->load_state(under_prefix(part.name + "_average.", tensors));
  }
}

void TrainStep::swap_averages() {
  for (const Part& part : parts_)
    if (part.average) part.average->swap();
}

std::vector<NamedTensor> TrainStep::averages() const {
  std::vector<NamedTensor> tensors;
  for (const Part& part : parts_)
    if (part.average)
      for (NamedTensor& tensor : with_prefix(part.name + ".", part.average->averages()))
        tensors.push_back(std::move(tensor));
  return tensors;
}

}  // namespace glimpse
