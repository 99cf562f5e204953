#include "glimpse/models/training/train_step.h"

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
    : model_(model), dropout_(static_cast<std::uint64_t>(model.config.training.seed) ^ dropout_stream) {
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

Tensor TrainStep::features_of(const TrainingBatch& batch) const {
  if (batch.features.defined()) return model_.encoder.forward_rest(batch.features.to(model_.device()));
  const bool trained = parts_.size() > 1;
  check(trained && batch.pixels.defined(), "training: {} needs batches of {}",
        trained ? "an encoder that is trained" : "a frozen encoder", trained ? "pixels" : "features");
  return model_.encoder.forward(batch.pixels);
}

void TrainStep::add_gradients(std::span<const TrainingBatch> batches, StepResult& result) {
  LossOptions options = loss_options(model_.config);
  options.baseline = baseline_;
  options.scheduled_sampling = result.scheduled_sampling = scheduled_sampling_;
  for (const TrainingBatch& batch : batches) {
    options.of_tokens += batch.tokens.tokens();
    options.of_rows += batch.tokens.rows();
  }
  const double drawn_share = 1 / static_cast<double>(batches.size());
  const double weight = self_critical_ ? model_.config.self_critical.cross_entropy : 1;
  for (const TrainingBatch& batch : batches) {
    const Tensor features = features_of(batch);
    Tensor total;
    if (weight > 0) total = true_loss(batch, features, options, result);
    if (self_critical_) {
      const SelfCritical::Result drawn = (*self_critical_)(batch.images, features, dropout_);
      const Tensor loss = drawn.loss * drawn_share;
      total = total.defined() ? loss + total * weight : loss;
      result.reward = result.reward.value_or(0) + drawn.reward * drawn_share;
    }
    total.backward();
  }
}

/// The loss of the true captions, a part of that of several batches.
Tensor TrainStep::true_loss(const TrainingBatch& batch, const Tensor& features, const LossOptions& options,
                            StepResult& result) {
  const DecoderLoss loss = model_.decoder.loss(features, batch.tokens, dropout_, options);
  const double rows = static_cast<double>(batch.tokens.rows());
  result.loss += loss.cross_entropy * static_cast<double>(loss.tokens) / static_cast<double>(options.of_tokens);
  result.attention_penalty += loss.attention_penalty * rows / static_cast<double>(options.of_rows);
  result.tokens += loss.tokens;
  sampled_captions_ += loss.sampled_captions;
  sampled_log_p_ += loss.sampled_log_probability * static_cast<double>(loss.sampled_captions);
  return loss.total;
}

void TrainStep::update(StepResult& result) {
  for (const Part& part : parts_) {
    const bool updated = part.optimizer->step();
    if (updated && part.average) part.average->update();
    if (!updated && result.updated) result.not_finite = part.optimizer->non_finite();
    result.updated = result.updated && updated;
  }
  result.gradient_norm = parts_[0].optimizer->gradient_norm();
  result.learning_rate = learning_rate();
}

/// b = 0.9 b + 0.1 log p (paper, 4.1), by the mean over the captions of this step that read drawn locations.
void TrainStep::move_baseline() {
  if (sampled_captions_ > 0)
    baseline_ = 0.9 * baseline_ + 0.1 * sampled_log_p_ / static_cast<double>(sampled_captions_);
}

StepResult TrainStep::operator()(std::span<const TrainingBatch> batches, double rate_factor) {
  check(!batches.empty(), "training: a step needs a batch");
  parts_[0].optimizer->set_learning_rate(model_.config.training.learning_rate * rate_factor);
  if (parts_.size() > 1) parts_[1].optimizer->set_learning_rate(model_.config.encoder.learning_rate * rate_factor);
  StepResult result;
  if (model_.config.decoder.is_hard()) result.baseline = baseline_;
  sampled_log_p_ = 0;
  sampled_captions_ = 0;
  add_gradients(batches, result);
  update(result);
  if (result.updated) move_baseline();
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
