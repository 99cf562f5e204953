#include "glimpse/models/decoder/internal/attend.h"

#include <memory>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/attention/attention.h"
#include "glimpse/models/decoder/internal/image_groups.h"

namespace glimpse {
namespace {

/// One call, and what its backward pass needs.
struct Call {
  Activation activation;
  Tensor features, keys, query, score, alpha;
  bool need_features;
  std::shared_ptr<const ImageGroups> groups;

  kernels::AttentionShape shape() const {
    return groups->of_all({.locations = keys.size(1), .width = keys.size(2), .channels = features.size(2)});
  }
  template <class T>
  kernels::AttentionInputs<T> inputs() const {
    return {activation, keys.data<T>(), features.data<T>(), score.data<T>(), query.data<T>(), query.size(1)};
  }
};

template <class T>
const T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

/// Gradients of features, keys, queries and score from those of context, alpha and log_sum.
Gradients backward(const Call& call, const Gradients& dy) {
  const Tensor dcontext =
      dy[0].defined() ? dy[0]
                      : zeros({call.query.size(0), call.features.size(2)}, call.query.dtype(), call.query.device());
  const Tensor descore = empty_like(call.alpha), dquery = empty_like(call.query), dkeys = empty_like(call.keys);
  const Tensor dscore = empty_like(call.score);
  const Tensor partial({call.keys.size(0), call.keys.size(2)}, call.keys.dtype(), call.keys.device());
  Tensor dfeatures;
  on(call.alpha, [&]<class T>(auto device) {
    kernels::attention_backward<T>(device, call.shape(), call.inputs<T>(),
                                   {.alpha = call.alpha.data<T>(),
                                    .dcontext = dcontext.data<T>(),
                                    .dalpha = data_or_null<T>(dy[1]),
                                    .descore = descore.data<T>(),
                                    .dquery = dquery.data<T>(),
                                    .dquery_stride = dquery.size(1),
                                    .dlog_sum = data_or_null<T>(dy[2])});
    kernels::attention_backward_keys<T>(device, call.shape(), call.inputs<T>(), descore.data<T>(), dkeys.data<T>(),
                                        dscore.data<T>(), partial.data<T>());
    if (!call.need_features) return;
    dfeatures = empty_like(call.features);
    kernels::attention_backward_features<T>(device, call.shape(), call.alpha.data<T>(), dcontext.data<T>(),
                                            dfeatures.data<T>());
  });
  return {dfeatures, dkeys, dquery, dscore};
}

}  // namespace

Attended attend_all(const Decoder& decoder, const DecoderMemory& memory, const Tensor& query, const TokenBatch& batch) {
  const std::int64_t rows = query.size(0);
  const auto result = [&](const Shape& shape) { return Tensor(shape, query.dtype(), query.device()); };
  const auto call = std::make_shared<const Call>(
      Call{decoder.config.score, memory.features.detach(), memory.keys.detach(), query.detach(), decoder.score.detach(),
           result({rows, memory.keys.size(1)}), memory.features.requires_grad(), groups_of(batch, query.device())});
  const Tensor context = result({rows, memory.features.size(2)}), log_sum = result({rows});
  on(query, [&]<class T>(auto device) {
    kernels::attention_forward<T>(device, call->shape(), call->inputs<T>(), call->alpha.template data<T>(),
                                  context.data<T>(), log_sum.data<T>());
  });
  const auto y = differentiable("attend_all", {context, call->alpha, log_sum},
                                {memory.features, memory.keys, query, decoder.score},
                                [call](const Gradients& dy) { return backward(*call, dy); });
  return {y[0], y[1], y[2]};
}

Tensor image_of_tokens(const TokenBatch& batch, Device device) {
  return (batch.image_of_token.defined() ? batch.image_of_token : batch.row_of_token).to(device);
}

}  // namespace glimpse
