// Every op that has a case (op_case.h), on the device: its results and gradients against the CPU's in f64.

#include "op_case.h"

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;

namespace {

void check_ops(DType dtype, double eps) {
  for (const OpCase& op : op_cases()) {
    DYNAMIC_SECTION(op.name) {
      for (const Sizes& sizes : op.sizes) {
        INFO(title(op, sizes));
        const Outcome truth = evaluate(op, sizes, make_inputs(op, sizes, DType::f64));
        const Outcome found = evaluate(op, sizes, make_inputs(op, sizes, dtype, Device::cuda));
        REQUIRE(found.results.size() == truth.results.size());
        for (std::size_t i = 0; i < truth.results.size(); ++i) {
          INFO("result " << i);
          CHECK(found.results[i].device() == Device::cuda);
          CHECK(difference(truth.results[i], found.results[i], eps, op.absolute, op.relative) == "");
        }
        for (std::size_t i = 0; i < truth.gradients.size(); ++i) {
          INFO("gradient of input " << i);
          CHECK(difference(truth.gradients[i], found.gradients[i], eps, 4 * op.absolute, 4 * op.relative) == "");
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("ops in f32 and their gradients") { check_ops(DType::f32, 0x1p-23); }

TEST_CASE("ops in f64 and their gradients") { check_ops(DType::f64, 0x1p-50); }

TEST_CASE("tensors between the CPU and the device") {
  const Tensor x = from_vector(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2}).set_requires_grad();
  const Tensor y = x.to(Device::cuda);
  CHECK(y.device() == Device::cuda);
  CHECK(y.rows(1, 3).to_vector<float>() == std::vector<float>{3, 4, 5, 6});
  sum(y * y).backward();  // the gradient comes back over the border
  CHECK(x.grad().device() == Device::cpu);
  CHECK(x.grad().to_vector<float>() == std::vector<float>{2, 4, 6, 8, 10, 12});

  const Tensor z = zeros({3, 2}, DType::f32, Device::cuda);
  z.rows(0, 2).copy_from(y.rows(1, 3));  // on the device
  z.rows(2, 3).copy_from(x.rows(0, 1));  // from the host
  z.rows(1, 3).copy_from(z.rows(0, 2));  // overlapping
  CHECK(z.to_vector<float>() == std::vector<float>{3, 4, 3, 4, 5, 6});
  const Tensor host = empty({3, 2});
  host.copy_from(z);
  CHECK(host.to_vector<float>() == std::vector<float>{3, 4, 3, 4, 5, 6});
  CHECK(z.rows(2, 3).rows(0, 1).reshape({2}).to(DType::f64).to(Device::cpu).to_vector<double>() ==
        std::vector<double>{5, 6});
  CHECK(full({}, 7, DType::f32, Device::cuda).item() == 7);
  CHECK(empty({0, 3}, DType::f32, Device::cuda).to(Device::cpu).numel() == 0);
  CHECK_THROWS_WITH(x + z, Catch::Contains("cpu") && Catch::Contains("cuda"));
}

TEST_CASE("a wrong index on the device is named as on the CPU") {
  const Tensor table = zeros({5, 3}), words = from_vector(std::vector<std::int32_t>{4, 0, 7, 1}, {2, 2});
  const std::string message = "embedding: word 7 at position 2 is outside [0,5)";
  CHECK_THROWS_WITH(embedding(table, words), message);
  CHECK_THROWS_WITH(embedding(table.to(Device::cuda), words.to(Device::cuda)), message);
  const Tensor minus_one = from_vector(std::vector<std::int32_t>{-1}).to(Device::cuda);
  CHECK_THROWS_WITH(gather_rows(table.to(Device::cuda), minus_one),
                    Contains("index -1 at position 0 is outside [0,5)"));
}

TEST_CASE("memory of the device is counted") {
  const std::size_t before = memory_stats(Device::cuda).in_use;
  reset_peak_memory(Device::cuda);
  {
    const Tensor x = zeros({1000}, DType::f32, Device::cuda);
    CHECK(memory_stats(Device::cuda).in_use >= before + 4000);
  }
  CHECK(memory_stats(Device::cuda).in_use == before);
  CHECK(memory_stats(Device::cuda).peak >= before + 4000);
  release_cached_memory(Device::cuda);
  CHECK(memory_stats(Device::cuda).cached == 0);
  const Tensor column = zeros({1 << 22, 1}, DType::f32, Device::cuda), row = column.reshape({1, 1 << 22});
  CHECK_THROWS_WITH(matmul(column, row), Contains("matmul: (4194304,4194304) f32: CUDA out of memory"));
  CHECK_THROWS_WITH(column + row, Contains("add: (4194304,4194304) f32: CUDA out of memory"));
}
