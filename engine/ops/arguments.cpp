#include "glimpse/engine/ops/arguments.h"

#include <limits>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/embedding.h"

namespace glimpse {

void require_floating(const char* op, const char* role, const Tensor& x) {
  check(x.defined(), "{}: {} is undefined", op, role);
  check(x.dtype() == DType::f32 || x.dtype() == DType::f64, "{}: {} {} is {}; f32 or f64 is needed", op, role,
        x.shape(), name_of(x.dtype()));
}

void require_same_kind(const char* op, const Tensor& a, const Tensor& b) {
  require_floating(op, "an argument", a);
  require_floating(op, "an argument", b);
  check(a.dtype() == b.dtype() && a.device() == b.device(), "{}: {} {} on {} does not go with {} {} on {}", op,
        name_of(a.dtype()), a.shape(), name_of(a.device()), name_of(b.dtype()), b.shape(), name_of(b.device()));
}

void require_rank(const char* op, const char* role, const Tensor& x, int rank, const char* layout) {
  check(x.defined(), "{}: {} is undefined", op, role);
  check(x.rank() == rank, "{}: {} is {}; {} is needed", op, role, x.shape(), layout);
}

void require_indices(const char* op, const char* role, const Tensor& index, std::int64_t limit,
                     std::optional<std::int32_t> allowed) {
  check(index.defined(), "{}: {} is undefined", op, role);
  check(index.dtype() == DType::i32, "{}: {} {} is {}; i32 is needed", op, role, index.shape(), name_of(index.dtype()));
  const std::int64_t none = std::numeric_limits<std::int64_t>::min();  // which no index equals
  on(index.device(), [&](auto device) {
    const std::int64_t bad = kernels::find_outside(device, index.numel(), index.data<std::int32_t>(), limit,
                                                   allowed ? std::int64_t{*allowed} : none);
    if (bad < 0) return;
    const Tensor wrong = index.detach().reshape({-1}).rows(bad, bad + 1);
    fail("{}: {} {} at position {} is outside [0,{})", op, role, wrong.to_vector<std::int32_t>()[0], bad, limit);
  });
}

}  // namespace glimpse
