#include "glimpse/kernels/dropout.h"

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/ops/arguments.h"
#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

Tensor masked(const Tensor& x, double p, Generator::State random) {
  Tensor y = empty_like(x, "dropout");
  on(x, [&]<class T>(auto device) {
    kernels::dropout(device, x.numel(), p, random.seed, random.position, x.data<T>(), y.data<T>());
  });
  return y;
}

}  // namespace

Tensor dropout(const Tensor& x, double p, Generator& generator) {
  require_floating("dropout", "x", x);
  check(p >= 0 && p <= 1, "dropout: probability {} is outside [0,1]", p);
  if (p == 0) return x;
  const Generator::State random = generator.reserve(x.numel());
  return differentiable("dropout", masked(x, p, random), {x},
                        [p, random](const Tensor& dy) { return masked(dy, p, random); });
}

}  // namespace glimpse
