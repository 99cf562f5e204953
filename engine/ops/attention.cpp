#include "glimpse/kernels/attention/attention.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/internal/on_device.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

constexpr const char* name = "additive_attention";

void check_shapes(const Tensor& keys, const Tensor& query, const Tensor& score, const Tensor& features) {
  require_rank(name, "keys", keys, 3, "(B,L,A)");
  require_rank(name, "query", query, 2, "(Q,A)");
  require_rank(name, "score", score, 1, "(A)");
  require_rank(name, "features", features, 3, "(B,L,D)");
  for (const Tensor& x : {query, score, features}) require_same_kind(name, keys, x);
  const std::int64_t images = keys.size(0), width = keys.size(2);
  check(keys.size(1) > 0, "{}: keys {} have no location to attend to", name, keys.shape());
  check(features.size(0) == images, "{}: keys {} do not match features {}: batch {} != {}", name, keys.shape(),
        features.shape(), images, features.size(0));
  check(features.size(1) == keys.size(1), "{}: keys {} do not match features {}: locations {} != {}", name,
        keys.shape(), features.shape(), keys.size(1), features.size(1));
  check(query.size(1) == width, "{}: keys {} do not match query {}: width {} != {}", name, keys.shape(), query.shape(),
        width, query.size(1));
  check(score.size(0) == width, "{}: keys {} do not match score {}: width {} != {}", name, keys.shape(), score.shape(),
        width, score.size(0));
  check(images == 0 ? query.size(0) == 0 : query.size(0) % images == 0,
        "{}: keys {} do not match query {}: {} queries for a batch of {}", name, keys.shape(), query.shape(),
        query.size(0), images);
}

void check_mask(const Tensor& keys, const Tensor& mask) {
  if (!mask.defined()) return;
  check(mask.dtype() == DType::i32 && mask.device() == keys.device(), "{}: the mask is {} on {}: i32 on {} is needed",
        name, name_of(mask.dtype()), name_of(mask.device()), name_of(keys.device()));
  check(mask.shape() == Shape{keys.size(0), keys.size(1)}, "{}: mask {} does not match keys {}: ({},{}) is needed",
        name, mask.shape(), keys.shape(), keys.size(0), keys.size(1));
}

/// The arguments of one call, as the kernels take them.
struct Call {
  Tensor keys, query, score, features;
  Activation activation;
  Tensor mask;     // undefined: none
  OnDevice first;  // query of each image, and their number

  kernels::AttentionShape shape() const {
    kernels::AttentionShape s;
    s.groups = keys.size(0);
    s.locations = keys.size(1);
    s.width = keys.size(2);
    s.channels = features.size(2);
    s.first = first.data();
    s.queries = query.size(0);
    return s;
  }
  template <class T>
  kernels::AttentionInputs<T> inputs() const {
    return {activation,
            keys.data<T>(),
            features.data<T>(),
            score.data<T>(),
            query.data<T>(),
            query.size(1),
            mask.defined() ? mask.data<std::int32_t>() : nullptr};
  }
};

template <class T>
const T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

/// Gradients of keys, query, score and features.
Gradients backward(const Call& call, const Tensor& alpha, bool need_features, const Gradients& dy) {
  const Tensor dcontext =
      dy[0].defined() ? dy[0] : zeros({alpha.size(0), call.features.size(2)}, alpha.dtype(), alpha.device());
  const Tensor descore = empty_like(alpha), dquery = empty_like(call.query), dkeys = empty_like(call.keys);
  const Tensor dscore = empty_like(call.score);
  const Tensor partial({call.keys.size(0), call.keys.size(2)}, alpha.dtype(), alpha.device());
  Tensor dfeatures;
  on(alpha, [&]<class T>(auto device) {
    kernels::attention_backward<T>(device, call.shape(), call.inputs<T>(),
                                   {.alpha = alpha.data<T>(),
                                    .dcontext = dcontext.data<T>(),
                                    .dalpha = data_or_null<T>(dy[1]),
                                    .descore = descore.data<T>(),
                                    .dquery = dquery.data<T>(),
                                    .dquery_stride = dquery.size(1)});
    kernels::attention_backward_keys<T>(device, call.shape(), call.inputs<T>(), descore.data<T>(), dkeys.data<T>(),
                                        dscore.data<T>(), partial.data<T>());
    if (!need_features) return;
    dfeatures = empty_like(call.features);
    kernels::attention_backward_features<T>(device, call.shape(), alpha.data<T>(), dcontext.data<T>(),
                                            dfeatures.data<T>());
  });
  return {dkeys, dquery, dscore, dfeatures};
}

}  // namespace

AttentionResult additive_attention(const Tensor& keys, const Tensor& query, const Tensor& score, const Tensor& features,
                                   Activation activation, const Tensor& mask) {
  check_shapes(keys, query, score, features);
  check_mask(keys, mask);
  const std::int64_t images = keys.size(0), queries = query.size(0);
  std::vector<std::int64_t> first;
  for (std::int64_t i = 0; i <= images; ++i) first.push_back(images == 0 ? 0 : i * (queries / images));
  const Call call{keys.detach(),
                  query.detach(),
                  score.detach(),
                  features.detach(),
                  activation,
                  mask,
                  OnDevice(std::move(first), keys.device())};
  const Tensor alpha({queries, keys.size(1)}, keys.dtype(), keys.device());
  const Tensor context({queries, features.size(2)}, keys.dtype(), keys.device());
  on(keys, [&]<class T>(auto device) {
    kernels::attention_forward<T>(device, call.shape(), call.inputs<T>(), alpha.data<T>(), context.data<T>());
  });
  const auto y = differentiable(name, {context, alpha}, {keys, query, score, features},
                                [call, alpha, need_features = features.requires_grad()](const Gradients& dy) {
                                  return backward(call, alpha, need_features, dy);
                                });
  return {y[0], y[1]};
}

}  // namespace glimpse
