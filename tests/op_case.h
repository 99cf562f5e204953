#pragma once
// One op, described once: how to make inputs, how to run it, what the result should be. From such a case the harness
// derives the proofs in test_ops.cpp and test_gradients.cpp, and bench_kernels the op's rows (bench/kernels/ops.cpp).
//
// A new case is a file tests/cases/NAME.cpp; nothing else is edited:
//
//   #include "op_case.h"
//
//   namespace glimpse::test {
//   namespace {
//
//   const OpCaseRegistrar scale_rows({
//       .name = "scale_rows",
//       // 0, 1, 31, 32, 33, 1000 where a length is free
//       .sizes = {{0, 3}, {1, 1}, {5, 31}, {5, 32}, {5, 33}, {2, 1000}},
//       .inputs =
//           [](const Sizes& s, Draw& draw) {
//             return Tensors{draw.normal({s[0], s[1]}), draw.normal({s[0], 1})};
//           },
//       .run = [](const Sizes&, const Tensors& in) { return Tensors{in[0] * in[1]}; },
//       // optional: plain loops over doubles
//       .reference = [](const Sizes& s, const Tensors& in) {
//         Tensor y = empty_like(in[0]);
//         for (std::int64_t i = 0; i < y.numel(); ++i) at(y, i) = at(in[0], i) * at(in[1], i / s[1]);
//         return Tensors{y};
//       },
//       .bench_sizes = {{4096, 4096}},
//   });
//
//   }  // namespace
//   }  // namespace glimpse::test
//
// `sizes` mean what inputs and run take them to mean; options (a stride, a flag) can be sizes too. `inputs` are made in
// f64; the harness rounds them to f32 and runs the same numbers in both types. Results may be several tensors. All
// floating inputs are differentiated, except those listed in `constants`. What is proven for each of the sizes:
//   - the f64 result equals the reference (where there is one);
//   - f32 results and gradients equal those in f64 within the tolerance;
//   - two f32 runs give the same bits, gradients included;
//   - no buffer is written outside its bounds, no result depends on uninitialised memory;
//   - gradients have the shape and type of their inputs and pass the gradient check in f64 (of those results that
//     require a gradient).

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "glimpse/engine/ops.h"
#include "glimpse/engine/random.h"

namespace glimpse::test {

using Sizes = std::vector<std::int64_t>;
using Tensors = std::vector<Tensor>;

/// Element i of an f64 tensor.
inline double& at(const Tensor& x, std::int64_t i) { return x.data<double>()[i]; }

/// Makes inputs: f64 (exact in f32), or i32.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : generator_(seed) {}

  Tensor normal(const Shape& shape, double mean = 0, double std = 1);
  Tensor uniform(const Shape& shape, double low, double high);
  /// Uniform, of either sign, with magnitude in [low, high): for functions with a kink at 0.
  Tensor away_from_zero(const Shape& shape, double low = 0.1, double high = 2);
  /// 0.1 apart and shuffled: for functions that compare elements, such as max pooling.
  Tensor distinct(const Shape& shape);
  /// i32, uniform in [0, limit).
  Tensor words(const Shape& shape, std::int64_t limit);

 private:
  Generator generator_;
};

struct OpCase {
  std::string name;
  std::vector<Sizes> sizes;
  std::function<Tensors(const Sizes&, Draw&)> inputs;
  std::function<Tensors(const Sizes&, const Tensors& inputs)> run;
  std::function<Tensors(const Sizes&, const Tensors& inputs)> reference = {};
  /// Inputs (by position) that are floating but not differentiated: running statistics.
  std::vector<std::size_t> constants = {};
  /// |result - truth| <= eps (absolute + relative |truth|) for results, with eps of the type that was computed in; for
  /// gradients four times that. Raise `absolute` for sums of many terms.
  double absolute = 16;
  double relative = 16;
  /// The rest is for the benchmark, which times the op at `bench_sizes`. `bytes`: what one forward run must move at
  /// least, in f32, where that is not all of its inputs and results; `flops`: what it computes at least.
  std::function<double(const Sizes&)> bytes = {};
  std::function<double(const Sizes&)> flops = {};
  std::vector<Sizes> bench_sizes = {};
};

/// All cases that are linked in, in order of their names.
const std::vector<OpCase>& op_cases();

/// Puts a case on that list; meant for constants at namespace scope.
class OpCaseRegistrar {
 public:
  explicit OpCaseRegistrar(OpCase op);
};

/// What an op returns, and the gradients of sum(u * results) for fixed random u, one per input (undefined where the
/// input has none).
struct Outcome {
  Tensors results;
  Tensors gradients;
};

/// The case's inputs for these sizes in `dtype` (floating ones), on `device`. The same numbers at every call.
Tensors make_inputs(const OpCase& op, const Sizes& sizes, DType dtype, Device device = Device::cpu);
/// Copies of the inputs, which require a gradient where differentiated() says so.
Tensors leaves_of(const OpCase& op, const Tensors& inputs);
/// The u of Outcome for these results; undefined where a result requires no gradient.
Tensors weights_of(const Tensors& results);
/// One run, forward and backward.
Outcome evaluate(const OpCase& op, const Sizes& sizes, const Tensors& inputs);
/// Whether input number i is differentiated.
bool differentiated(const OpCase& op, const Tensors& inputs, std::size_t i);
/// Empty where |found - truth| <= eps (absolute + relative |truth|) for every element, NaN being equal to NaN; else
/// which element is furthest beyond. `truth` is f64; both may be undefined.
std::string difference(const Tensor& truth, const Tensor& found, double eps, double absolute, double relative);
/// "softmax (5,33)".
std::string title(const OpCase& op, const Sizes& sizes);

}  // namespace glimpse::test
