// The gradient check, in f64, of every op that has a case (op_case.h). One op alone: test_gradients -c NAME

#include "catch.h"
#include "glimpse/engine/gradcheck.h"
#include "op_case.h"

using namespace glimpse;
using namespace glimpse::test;

TEST_CASE("gradients equal differences") {
  for (const OpCase& op : op_cases()) {
    DYNAMIC_SECTION(op.name) {
      for (const Sizes& sizes : op.sizes) {
        INFO(title(op, sizes));
        const Tensors inputs = make_inputs(op, sizes, DType::f64);
        Tensors variables;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < inputs.size(); ++i)
          if (differentiated(op, inputs, i)) {
            variables.push_back(inputs[i]);
            places.push_back(i);
          }
        if (variables.empty()) continue;
        const TensorFunction run = [&](const Tensors& x) {
          Tensors all;
          for (const Tensor& input : inputs) all.push_back(input.clone());
          for (std::size_t i = 0; i < x.size(); ++i) all[places[i]] = x[i];
          return op.run(sizes, all);
        };
        CHECK_NOTHROW(gradcheck(run, variables));
      }
    }
  }
}
