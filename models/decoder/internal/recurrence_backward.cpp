#include <optional>

#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/internal/rows_at.h"
#include "glimpse/engine/ops.h"
#include "glimpse/kernels/attention/locations.h"
#include "glimpse/kernels/convert.h"
#include "glimpse/kernels/embedding.h"
#include "glimpse/kernels/gate.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/kernels/lstm.h"
#include "glimpse/models/decoder/internal/packed_matrix.h"
#include "glimpse/models/decoder/internal/recurrence.h"

namespace glimpse::recurrence {

Gradients Recurrence::backward(const Gradients& dy) const {
  StepGradients d;
  if (!joined_) d.dgates = empty_like(gates_);
  d.dh = empty_like(h0_);
  d.dc = empty_like(c0_);
  if (attends_) {
    d.dprojected = empty_like(projected_);
    d.descore = empty_like(alpha_);
    d.dcontext = features_need_gradient_ ? empty_like(context_)
                                         : Tensor({rows(0), channels_}, context_.dtype(), context_.device());
  }
  if (location_.defined()) d.dmean = Tensor({rows(0), channels_}, context_.dtype(), context_.device());
  on(embedded_, [&]<class T>(auto device) { walk_back<T>(device, dy, d); });

  Gradients gradients(input::count);
  gradients[input::h0] = d.dh;
  gradients[input::c0] = d.dc;
  const Tensor before_steps = rows_at(states_, state_before_);
  const auto gate_rows = [&](const Tensor& x) { return x.rows(first_gate(), first_gate() + 4 * hidden_); };
  if (!joined_) {
    gradients[input::weight_hh] = matmul(d.dgates, before_steps, true, false);
    gradients[input::bias_ih] = gradients[input::bias_hh] = sum(d.dgates, 0);
  }
  if (attends_) {
    const Tensor dweight = matmul(d.dprojected, before_steps, true, false), dbias = sum(d.dprojected, 0);
    gradients[input::query_weight] = dweight.rows(0, attention_size_);
    gradients[input::gate_weight] = dweight.rows(attention_size_, projection());
    gradients[input::gate_bias] = dbias.rows(attention_size_, projection());
    if (joined_) {
      gradients[input::weight_hh] = gate_rows(dweight);
      gradients[input::bias_ih] = gradients[input::bias_hh] = gate_rows(dbias);
    }
    attention_gradients(d, gradients);
  }
  input_gradients(d, gradients);
  return gradients;
}

template <class T, class Device>
void Recurrence::walk_back(Device device, const Gradients& dy, const StepGradients& d) const {
  using Matrix = PackedMatrix<Device, T>;
  std::optional<Matrix> h_of_gates, h_of_projection, context_of_gates;
  if (!joined_) h_of_gates.emplace(device, 4 * hidden_, hidden_, kernels::Operand<T>{weight_hh_.data<T>(), hidden_});
  if (attends_) {
    h_of_projection.emplace(device, projection_stride(), hidden_,
                            kernels::Operand<T>{projection_weight_.data<T>(), hidden_});
    context_of_gates.emplace(device, 4 * hidden_, channels_,
                             kernels::Operand<T>{weight_ih_.data<T>() + embedding_size_, embedding_size_ + channels_});
  }
  T *dh = d.dh.data<T>(), *dc = d.dc.data<T>();
  const Tensor of_gates = gate_gradients(d);
  const std::int64_t stride = of_gates.size(1);
  for (std::int64_t t = steps() - 1; t >= 0; --t) {
    const std::int64_t first = at(t), m = rows(t);
    T* dgates = of_gates.data<T>() + first * stride + first_gate();
    kernels::lstm_backward<T>(
        device, {.batch = m,
                 .hidden = hidden_,
                 .activated = gates_.data<T>() + first * 4 * hidden_,
                 .c = before<T>(c0_, c_, t),
                 .c_next = c_.data<T>() + first * hidden_,
                 .received = {.dh = dy[result::h].defined() ? dy[result::h].data<T>() + first * hidden_ : nullptr,
                              .dh_later = dh,
                              .dc_next = dc,
                              .later_rows = t + 1 < steps() ? rows(t + 1) : 0,
                              .dc = dy[result::c].defined() ? dy[result::c].data<T>() + first * hidden_ : nullptr},
                 .dgates = dgates,
                 .dc = dc,
                 .dgates_stride = stride});
    if (!joined_) h_of_gates->multiply(m, dgates, dh);
    if (!attends_) continue;
    T* dz = d.dcontext.data<T>() + (features_need_gradient_ ? first * channels_ : 0);
    if (dy[result::context].defined()) {
      kernels::copy_bytes(device, m * channels_ * static_cast<std::int64_t>(sizeof(T)),
                          dy[result::context].data<T>() + first * channels_, dz);
      context_of_gates->add_product(m, dgates, dz, stride);
    } else {
      context_of_gates->multiply(m, dgates, dz, stride);
    }
    attention_back<T>(device, t, dy, d, dz);
    const T* dprojected = d.dprojected.data<T>() + first * projection_stride();
    joined_ ? h_of_projection->multiply(m, dprojected, dh) : h_of_projection->add_product(m, dprojected, dh);
  }
}

/// From the gradient of the gated context, dz (m,D), which becomes that of the context, to that of the projection of h.
template <class T, class Device>
void Recurrence::attention_back(Device device, std::int64_t step, const Gradients& dy, const StepGradients& d,
                                T* dz) const {
  const std::int64_t first = at(step), m = rows(step);
  T* dprojected = d.dprojected.data<T>() + first * projection_stride();
  kernels::gate_backward<T>(device, {.queries = m,
                                     .channels = channels_,
                                     .width = gate_size_,
                                     .gate = projected_.data<T>() + first * projection_stride() + attention_size_,
                                     .gate_stride = projection_stride(),
                                     .context = context_.data<T>() + first * channels_,
                                     .dgated = dz,
                                     .dcontext = dz,
                                     .dgate = dprojected + attention_size_,
                                     .dgate_stride = projection_stride()});
  const T* dmean = dz;  // gradient of the mean of all locations, which words with a location have not read
  if (location_.defined()) {
    kernels::copy_bytes(device, m * channels_ * static_cast<std::int64_t>(sizeof(T)), dz, d.dmean.data<T>());
    kernels::mark_locations<T>(device, m, channels_, location_.data<std::int32_t>() + first, T(0), d.dmean.data<T>());
    dmean = d.dmean.data<T>();
  }
  kernels::attention_backward<T>(
      device, groups_->of_step(step, attention_sizes()), attention_inputs<T>(first),
      {.alpha = alpha_.data<T>() + first * locations_,
       .dcontext = dmean,
       .dalpha = dy[result::alpha].defined() ? dy[result::alpha].data<T>() + first * locations_ : nullptr,
       .descore = d.descore.data<T>() + first * locations_,
       .dquery = dprojected,
       .dquery_stride = projection_stride()});
}

/// Gradients of features, keys and score, once over all words of each image.
void Recurrence::attention_gradients(const StepGradients& d, Gradients& gradients) const {
  const kernels::AttentionShape shape = groups_->of_all(attention_sizes());
  const Tensor dkeys = empty_like(keys_), dscore = empty_like(score_);
  const Tensor partial({keys_.size(0), attention_size_}, keys_.dtype(), keys_.device());
  on(keys_, [&]<class T>(auto device) {
    kernels::attention_backward_keys<T>(device, shape, attention_inputs<T>(0), d.descore.data<T>(), dkeys.data<T>(),
                                        dscore.data<T>(), partial.data<T>());
    if (!features_need_gradient_) return;
    gradients[input::features] = empty_like(features_);
    const Tensor weights = location_.defined() ? alpha_.clone() : alpha_;
    if (location_.defined())
      kernels::mark_locations<T>(device, tokens_, locations_, location_.data<std::int32_t>(), T(1), weights.data<T>());
    kernels::attention_backward_features<T>(device, shape, weights.data<T>(), d.dcontext.data<T>(),
                                            gradients[input::features].data<T>());
  });
  gradients[input::keys] = dkeys;
  gradients[input::score] = dscore;
}

/// Of x (R,F), of which token n reads row[n], or n without `row`, as the inputs from `column` on: its gradient, and
/// those columns of weight_ih's, from the gates' gradients summed over the tokens of each row.
template <class T, class Device>
void Recurrence::gradients_by_row(Device device, const StepGradients& d, const Tensor& x, const Tensor& row,
                                  std::int64_t column, const Tensor& dx, const Tensor& dweight) const {
  const std::int64_t rows = x.size(0), width = x.size(1), inputs = weight_ih_.size(1), gates = 4 * hidden_;
  const Tensor each = gate_gradients(d);
  const std::int64_t stride = each.size(1);
  const Tensor by_row = row.defined() ? Tensor({rows, stride}, each.dtype(), each.device()) : each;
  if (row.defined())
    kernels::sum_rows_by_index<T>(device, rows, tokens_, stride, each.data<T>(), row.data<std::int32_t>(),
                                  by_row.data<T>());
  const T* sums = by_row.data<T>() + first_gate();
  kernels::gemm<T>(device, rows, width, gates, T(1), {sums, stride}, {weight_ih_.data<T>() + column, inputs}, T(0),
                   dx.data<T>(), width);
  kernels::gemm<T>(device, gates, width, rows, T(1), {sums, stride, true}, {x.data<T>(), width}, T(0),
                   dweight.data<T>() + column, inputs);
}

/// Gradients of the embedded words, of the image where it is read, and of weight_ih, whose columns are those of the
/// words and those of the context or the image.
void Recurrence::input_gradients(const StepGradients& d, Gradients& gradients) const {
  const Tensor dweight = gradients[input::weight_ih] = empty_like(weight_ih_);
  gradients[input::embedded] = empty_like(embedded_);
  if (image_.defined()) gradients[input::image] = empty_like(image_);
  on(embedded_, [&]<class T>(auto device) {
    gradients_by_row<T>(device, d, embedded_, slot_, 0, gradients[input::embedded], dweight);
    if (image_.defined())
      gradients_by_row<T>(device, d, image_, image_of_, embedding_size_, gradients[input::image], dweight);
    if (!attends_) return;
    const Tensor each = gate_gradients(d);
    kernels::gemm<T>(device, 4 * hidden_, channels_, tokens_, T(1), {each.data<T>() + first_gate(), each.size(1), true},
                     {gated_.data<T>(), channels_}, T(0), dweight.data<T>() + embedding_size_, weight_ih_.size(1));
  });
}

}  // namespace glimpse::recurrence
