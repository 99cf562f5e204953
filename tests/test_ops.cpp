// What every op must satisfy, proven from its case (op_case.h). The gradient checks are in test_gradients.cpp.
// One op alone: test_ops -c NAME

#include <cstring>

#include "catch.h"
#include "glimpse/engine/memory.h"
#include "op_case.h"

using namespace glimpse;
using namespace glimpse::test;

namespace {

/// Calls proof(op, sizes) for all sizes of all cases, each op in a section of its name.
template <class Proof>
void for_each_op(Proof proof) {
  for (const OpCase& op : op_cases()) {
    DYNAMIC_SECTION(op.name) {
      for (const Sizes& sizes : op.sizes) {
        INFO(title(op, sizes));
        proof(op, sizes);
      }
    }
  }
}

constexpr double f32_eps = 0x1p-23, f64_eps = 0x1p-52;

void check_close(const char* what, const Tensors& truth, const Tensors& found, double eps, double absolute,
                 double relative) {
  REQUIRE(truth.size() == found.size());
  for (std::size_t i = 0; i < truth.size(); ++i) {
    INFO(what << " " << i);
    CHECK(difference(truth[i], found[i], eps, absolute, relative) == "");
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

void check_same_bits(const Outcome& a, const Outcome& b) {
  REQUIRE(a.results.size() == b.results.size());
  for (std::size_t i = 0; i < a.results.size(); ++i) {
    INFO("result " << i);
    CHECK(same_bits(a.results[i], b.results[i]));
  }
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    INFO("gradient " << i);
    CHECK(same_bits(a.gradients[i], b.gradients[i]));
  }
}

}  // namespace

TEST_CASE("f64 results equal plain loops") {
  for_each_op([](const OpCase& op, const Sizes& sizes) {
    if (!op.reference) return;
    const Tensors inputs = make_inputs(op, sizes, DType::f64);
    check_close("result", op.reference(sizes, inputs), evaluate(op, sizes, inputs).results, f64_eps, op.absolute,
                op.relative);
  });
}

TEST_CASE("f32 results and gradients agree with f64") {
  for_each_op([](const OpCase& op, const Sizes& sizes) {
    const Outcome truth = evaluate(op, sizes, make_inputs(op, sizes, DType::f64));
    const Outcome found = evaluate(op, sizes, make_inputs(op, sizes, DType::f32));
    check_close("result", truth.results, found.results, f32_eps, op.absolute, op.relative);
    check_close("gradient", truth.gradients, found.gradients, f32_eps, 4 * op.absolute, 4 * op.relative);
  });
}

TEST_CASE("two runs give the same bits") {
  for_each_op([](const OpCase& op, const Sizes& sizes) {
    const Tensors inputs = make_inputs(op, sizes, DType::f32);
    check_same_bits(evaluate(op, sizes, inputs), evaluate(op, sizes, inputs));
  });
}

TEST_CASE("memory is written inside its bounds and not read before") {
  for_each_op([](const OpCase& op, const Sizes& sizes) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Outcome plain = evaluate(op, sizes, make_inputs(op, sizes, dtype));
      const MemoryGuard guard;
      // New memory reads as NaN here: what depends on it differs.
      check_same_bits(plain, evaluate(op, sizes, make_inputs(op, sizes, dtype)));
      CHECK(guard.violations() == std::vector<std::string>{});
    }
  });
}

TEST_CASE("gradients have the shape and type of their inputs") {
  for_each_op([](const OpCase& op, const Sizes& sizes) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Tensors inputs = make_inputs(op, sizes, dtype);
      const Tensors gradients = evaluate(op, sizes, inputs).gradients;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        INFO("input " << i);
        REQUIRE(gradients[i].defined() == differentiated(op, inputs, i));
        if (!gradients[i].defined()) continue;
        CHECK(gradients[i].shape() == inputs[i].shape());
        CHECK(gradients[i].dtype() == dtype);
      }
    }
  });
}
