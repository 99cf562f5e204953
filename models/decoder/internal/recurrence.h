#pragma once
// The recurrence of a batch as a class: what its forward pass keeps for its backward pass.

#include <memory>
#include <vector>

#include "glimpse/engine/autograd.h"
#include "glimpse/kernels/attention/attention.h"
#include "glimpse/models/decoder/internal/image_groups.h"
#include "glimpse/models/decoder/internal/sequence.h"

namespace glimpse::recurrence {

/// The inputs of the op, and so their gradients, by number.
namespace input {
enum : std::size_t {
  features,
  keys,
  image,
  embedded,
  h0,
  c0,
  score,
  query_weight,
  gate_weight,
  gate_bias,
  weight_ih,
  weight_hh,
  bias_ih,
  bias_hh,
  count
};
}  // namespace input

/// Its results.
namespace result {
enum : std::size_t { h, c, context, alpha };
}  // namespace result

/// Gradients of what the steps compute, filled while walking back.
struct StepGradients {
  Tensor dgates;      // (N,4H), before the activations; joined, in dprojected
  Tensor dprojected;  // (N,A+G); joined, (N,A+G+4H)
  Tensor descore;     // (N,L)
  Tensor dcontext;    // (N,D), or (B,D) that each step uses anew when the features need no gradient
  Tensor dmean;       // (B,D), with drawn locations
  Tensor dh, dc;      // (B,H), in the end of the state before the first step
};

/// One run over a batch, and everything that its backward pass needs.
class Recurrence {
 public:
  Recurrence(const Decoder& decoder, const DecoderMemory& memory, const EmbeddedWords& words, const DecoderState& start,
             const TokenBatch& batch, const Tensor& uniform);

  Sequence forward();
  /// Of the inputs, by number, from those of the results.
  Gradients backward(const Gradients& dy) const;

 private:
  std::int64_t at(std::int64_t step) const { return offset_[step]; }
  std::int64_t rows(std::int64_t step) const { return at(step + 1) - at(step); }
  std::int64_t steps() const { return static_cast<std::int64_t>(offset_.size()) - 1; }
  std::int64_t projection() const { return attention_size_ + gate_size_; }
  /// Of the projections of h, and of their gradients: on a GPU those of the gates stand behind them, so that h is
  /// multiplied once, and so are their gradients.
  std::int64_t projection_stride() const { return projection() + (joined_ ? 4 * hidden_ : 0); }
  kernels::AttentionShape attention_sizes() const {
    return {.locations = locations_, .width = attention_size_, .channels = channels_};
  }

  template <class T>
  kernels::AttentionInputs<T> attention_inputs(std::int64_t token) const {
    kernels::AttentionInputs<T> in;
    in.activation = activation_;
    in.keys = keys_.data<T>();
    in.features = features_.data<T>();
    in.score = score_.data<T>();
    in.query = projected_.data<T>() + token * projection_stride();
    in.query_stride = projection_stride();
    return in;
  }
  /// The first row of the state that step `step` begins with.
  template <class T>
  const T* before(const Tensor& first, const Tensor& states, std::int64_t step) const {
    return step == 0 ? first.data<T>() : states.data<T>() + at(step - 1) * hidden_;
  }

  Tensor gate_gradients(const StepGradients& d) const { return joined_ ? d.dprojected : d.dgates; }
  std::int64_t first_gate() const { return joined_ ? projection() : 0; }

  template <class T, class Device>
  void run_forward(Device device);
  template <class T, class Device>
  void draw_context(Device device, std::int64_t step) const;
  template <class T, class Device>
  void walk_back(Device device, const Gradients& dy, const StepGradients& steps_d) const;
  template <class T, class Device>
  void attention_back(Device device, std::int64_t step, const Gradients& dy, const StepGradients& d, T* dz) const;
  void attention_gradients(const StepGradients& d, Gradients& gradients) const;
  void input_gradients(const StepGradients& d, Gradients& gradients) const;
  template <class T, class Device>
  void gradients_by_row(Device device, const StepGradients& d, const Tensor& x, const Tensor& row, std::int64_t column,
                        const Tensor& dx, const Tensor& dweight) const;

  std::vector<std::int64_t> offset_;  // first token of each step
  std::int64_t tokens_, hidden_, embedding_size_, locations_ = 0, attention_size_ = 0, channels_ = 0, gate_size_ = 0;
  Activation activation_;
  bool attends_, joined_ = false, features_need_gradient_ = false;
  std::shared_ptr<const ImageGroups> groups_;
  Tensor embedded_, slot_;     // as in EmbeddedWords
  Tensor image_;               // (I,E), an input of every step; undefined where there is none
  Tensor image_of_;            // (N) i32, of each token, where it is needed
  Tensor state_before_;        // (N) i32, as in TokenBatch
  Tensor uniform_, location_;  // (N), hard attention in training: numbers to draw by, and what they have drawn
  Tensor features_, keys_, score_, h0_, c0_, gate_bias_;
  Tensor weight_ih_, weight_hh_, bias_;  // (4H,E+D), (4H,H), (4H)
  Tensor projection_weight_;             // (A+G,H): query.weight over gate.weight; joined, weight_hh below, (A+G+4H,H)
  Tensor states_;                        // (B+N,H): h0, and below it h
  Tensor h_, c_, gates_;                 // (N,H), (N,H), (N,4H) activated
  Tensor projected_;                     // (N,A+G): queries, and gates of the context after their activation; joined,
                                         // what h gives to the LSTM's gates, (N,A+G+4H)
  Tensor alpha_, context_, gated_;       // (N,L), (N,D), (N,D)
};

}  // namespace glimpse::recurrence
