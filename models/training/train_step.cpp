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

TrainStep::TrainStep(CaptionModel& model)
    : model_(model), dropout_(static_cast<std::uint64_t>(model.config.training.seed) ^ dropout_stream) {
  const TrainingConfig& t = model.config.training;
  Visitor require([](const std::string&, Tensor& tensor, bool trainable) {
    if (trainable && tensor.defined()) tensor.set_requires_grad();
  });
  model.decoder.visit(require);
  decoder_ = make_optimizer(t, parameters(model.decoder), t.learning_rate);
  if (model.config.trains_encoder())
    encoder_ = make_optimizer(t, parameters(model.encoder), model.config.encoder.learning_rate);
}

StepResult TrainStep::operator()(const TrainingBatch& batch, double rate_factor) {
  const Device device = model_.device();
  decoder_->set_learning_rate(model_.config.training.learning_rate * rate_factor);
  Tensor features;
  if (encoder_) encoder_->set_learning_rate(model_.config.encoder.learning_rate * rate_factor);
  if (batch.features.defined()) {
    features = model_.encoder.forward_rest(batch.features.to(device));
  } else {
    check(encoder_ && batch.pixels.defined(), "training: {} needs batches of {}",
          encoder_ ? "an encoder that is trained" : "a frozen encoder", encoder_ ? "pixels" : "features");
    features = model_.encoder.forward(batch.pixels);
  }
  const DecoderLoss loss = model_.decoder.loss(features, batch.tokens, dropout_, loss_options(model_.config));
  loss.total.backward();
  const bool decoder_updated = decoder_->step();
  const bool encoder_updated = !encoder_ || encoder_->step();
  StepResult result{loss.cross_entropy,
                    loss.attention_penalty,
                    loss.tokens,
                    decoder_->gradient_norm(),
                    decoder_->learning_rate(),
                    decoder_updated && encoder_updated,
                    {}};
  if (!result.updated) result.not_finite = decoder_updated ? encoder_->non_finite() : decoder_->non_finite();
  return result;
}

std::vector<NamedTensor> TrainStep::tensors() {
  std::vector<NamedTensor> tensors;
  const auto add = [&](const std::string& prefix, std::vector<NamedTensor> more) {
    for (NamedTensor& tensor : with_prefix(prefix, std::move(more))) tensors.push_back(std::move(tensor));
  };
  add("decoder.", named_tensors(model_.decoder));
  add("decoder_optimizer.", decoder_->state());
  if (encoder_) {
    add("encoder.", named_tensors(model_.encoder));
    add("encoder_optimizer.", encoder_->state());
  }
  return tensors;
}

void TrainStep::load_tensors(const std::vector<NamedTensor>& tensors, const std::string& path) {
  glimpse::load_tensors(named_tensors(model_.decoder), under_prefix("decoder.", tensors), path);
  decoder_->load_state(under_prefix("decoder_optimizer.", tensors));
  if (!encoder_) return;
  glimpse::load_tensors(named_tensors(model_.encoder), under_prefix("encoder.", tensors), path);
  encoder_->load_state(under_prefix("encoder_optimizer.", tensors));
}

}  // namespace glimpse
