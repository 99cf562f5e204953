#pragma once
// Optimizers. All parameters of one lie in one flat buffer, all their gradients in another, so that clipping, updating
// and zeroing are one pass over memory. Update rules, defaults and the place of each constant are PyTorch's.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "glimpse/engine/module.h"
#include "glimpse/kernels/optimizer.h"

namespace glimpse {

/// Limits on the gradient, applied before anything else in this order; 0 = off.
struct ClipOptions {
  double clip_value = 0;
  double clip_norm = 0;
};

/// What came of a step.
struct StepOutcome {
  bool updated = true;
  double gradient_norm = 0;  ///< Euclidean, over all gradients before clipping; summed in double in a fixed order
  std::string non_finite;  ///< the first parameter whose gradient was not finite, where nothing was updated; else empty
  std::int64_t steps = 0;  ///< updates done
};

/// What the four optimizers share. Neither copied nor moved: the parameters' memory belongs to it.
class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Clips the gradients, updates the parameters and zeroes the gradients. A parameter that the loss did not reach has
  /// gradient zero: it still decays and follows its momentum. When a gradient is NaN or infinite nothing is updated
  /// (the step does not count), the gradients are zeroed, and false is returned; gradient_norm() is then not finite.
  bool step();
  /// The same without its answer: on a GPU the host waits for nothing. Whoever asks for it later, by the functions
  /// below, waits then.
  void step_ahead();
  void zero_grad();

  double learning_rate() const { return learning_rate_; }
  /// From the next step on. Throws Error unless finite and >= 0.
  void set_learning_rate(double value);
  /// Of the last step.
  const StepOutcome& outcome() const;
  double gradient_norm() const { return outcome().gradient_norm; }
  const std::string& non_finite() const { return outcome().non_finite; }
  /// Updates done.
  std::int64_t steps() const { return outcome().steps; }
  /// The last step's kernels::StepDecision, (8) f64, where the parameters lie: to be kept and read later.
  const Tensor& decision() const { return decision_; }
  /// What a decision says that was kept. Throws Error unless it has 8 numbers.
  StepOutcome outcome_of(std::span<const double> decision) const;
  const std::vector<NamedTensor>& parameters() const { return parameters_; }
  /// All parameters, all gradients: flat, each tensor at a multiple of 64 bytes, zeros between.
  const Tensor& flat_parameters() const { return flat_; }
  const Tensor& flat_gradients() const { return gradients_; }
  /// Parameter `index`'s part of a tensor that is laid out as flat_parameters().
  Tensor part(const Tensor& flat, std::size_t index) const;

  /// For checkpoints: "step", "learning_rate", and "MOMENT.PARAMETER" for each moment and parameter. The moments are
  /// views of the optimizer's memory.
  std::vector<NamedTensor> state() const;
  /// Goes on exactly where the optimizer of this state() stood, the parameters apart. Throws Error when the names or
  /// shapes are others; then nothing has changed.
  void load_state(const std::vector<NamedTensor>& state);

 protected:
  /// Moves the parameters into one buffer. Throws Error for no parameters, one twice, two that share memory, one of
  /// another live optimizer, different types or devices, and one that requires no gradient.
  Optimizer(const char* name, std::vector<NamedTensor> parameters, double learning_rate, const ClipOptions& clip,
            std::vector<std::string> moments);

  /// Updates the flat parameters from the flat gradients, zeroing those, as `decision` says.
  virtual void update(const kernels::StepDecision* decision) = 0;
  /// Flat, laid out as the parameters.
  const Tensor& moment(std::size_t index) const { return moments_[index]; }
  double beta1_ = 0, beta2_ = 0;  // of Adam's bias correction

 private:
  void check_parameters() const;
  void gather_parameters();
  void adopt_gradients();
  void set_steps(double count);
  std::string parameter_at(std::int64_t position) const;
  std::string name_;
  std::vector<NamedTensor> parameters_;
  std::vector<std::size_t> offsets_;  // of each parameter in the flat buffers, in bytes
  Tensor flat_, gradients_;
  std::vector<std::string> moment_names_;
  std::vector<Tensor> moments_;
  ClipOptions clip_;
  double learning_rate_;
  Tensor decision_;
  mutable std::optional<StepOutcome> outcome_;  // what decision_ says, when it was read
};

struct SgdOptions {
  double learning_rate = 1e-2;
  double momentum = 0;
  double weight_decay = 0;
  double clip_value = 0;  ///< 0 = off, as in ClipOptions
  double clip_norm = 0;
};

/// g += weight_decay p;  b = momentum b + g;  p -= learning_rate b.
class Sgd : public Optimizer {
 public:
  explicit Sgd(std::vector<NamedTensor> parameters, const SgdOptions& options = {});

 private:
  void update(const kernels::StepDecision* decision) override;
  SgdOptions options_;
};

struct RmsPropOptions {
  double learning_rate = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double momentum = 0;
  double weight_decay = 0;
  double clip_value = 0;
  double clip_norm = 0;
};

/// PyTorch's, not centred (Tieleman & Hinton 2012, with eps outside the root): g += weight_decay p;
/// v = alpha v + (1 - alpha) g^2;  b = momentum b + g / (sqrt(v) + eps);  p -= learning_rate b.
class RmsProp : public Optimizer {
 public:
  explicit RmsProp(std::vector<NamedTensor> parameters, const RmsPropOptions& options = {});

 private:
  void update(const kernels::StepDecision* decision) override;
  RmsPropOptions options_;
};

/// What Adam and AdamW share: all but where the weight decay enters.
class AdamFamily : public Optimizer {
 protected:
  AdamFamily(const char* name, std::vector<NamedTensor> parameters, double learning_rate, const kernels::AdamStep& step,
             const ClipOptions& clip);

 private:
  void update(const kernels::StepDecision* decision) override;
  kernels::AdamStep step_;
};

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double clip_value = 0;
  double clip_norm = 0;
};

/// Kingma & Ba, arXiv 1412.6980, algorithm 1; weight_decay is added to the gradient.
class Adam : public AdamFamily {
 public:
  explicit Adam(std::vector<NamedTensor> parameters, const AdamOptions& options = {});
};

struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;
  double clip_value = 0;
  double clip_norm = 0;
};

/// Adam with decoupled weight decay, p -= learning_rate weight_decay p (Loshchilov & Hutter, arXiv 1711.05101).
class AdamW : public AdamFamily {
 public:
  explicit AdamW(std::vector<NamedTensor> parameters, const AdamWOptions& options = {});
};

}  // namespace glimpse
