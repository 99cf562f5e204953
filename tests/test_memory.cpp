#include <cstring>

#include "catch.h"
#include "cuda/small_training.h"
#include "glimpse/engine/memory.h"
#include "glimpse/engine/ops.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;

namespace {

constexpr std::size_t mega = std::size_t{1} << 20;

}  // namespace

TEST_CASE("counters follow the tensors") {
  const MemoryStats before = memory_stats();
  {
    const Tensor x = zeros({1 << 20});  // 4 MiB
    const MemoryStats during = memory_stats();
    CHECK(during.in_use >= before.in_use + 4 * mega);
    CHECK(during.in_use <= before.in_use + 5 * mega);
    CHECK(during.allocations == before.allocations + 1);
    CHECK(during.peak >= during.in_use);
    const Tensor view = x.rows(0, 10).reshape({2, 5});
    CHECK(memory_stats().allocations == during.allocations);
  }
  const MemoryStats after = memory_stats();
  CHECK(after.in_use == before.in_use);
  CHECK(after.cached >= 4 * mega);
  reset_peak_memory();
  CHECK(memory_stats().peak == after.in_use);
  release_cached_memory();
  CHECK(memory_stats().cached == 0);
}

TEST_CASE("memory is reused") {
  void* first = empty({1000}).raw();
  const Tensor again = empty({1000});
  CHECK(again.raw() == first);
  CHECK(reinterpret_cast<std::uintptr_t>(again.raw()) % 64 == 0);
}

TEST_CASE("a warm training step takes no memory from the system") {
  CaptionModel model = test::make_tutorial_model(Device::cpu);
  TrainStep step(model);
  const std::vector<TrainingBatch> batches{test::make_batch({8, 8, 6, 5}), test::make_batch({5, 4, 4, 3}),
                                           test::make_batch({9, 2, 2, 2})};
  const auto pass = [&] {
    for (const TrainingBatch& batch : batches) step(batch);
    return memory_stats();
  };
  pass();  // moments of the optimizer and packed weights are made once
  const MemoryStats before = pass(), after = pass();
  CHECK(after.allocations > before.allocations);
  CHECK(after.allocations - before.allocations == after.reused - before.reused);
}

TEST_CASE("the pool is bounded when sizes never repeat") {
  release_cached_memory();
  std::size_t most = 0;
  for (std::int64_t step = 1; step < 400; ++step) {
    const Tensor x = empty({step * step * 100});  // up to 64 MB, in ever new sizes
    most = std::max(most, memory_stats().cached);
  }
  CHECK(most <= 2 * 64 * mega + 64 * mega);
  release_cached_memory();
}

TEST_CASE("empty tensors and tensors that outlive the pool's cache") {
  const Tensor none = empty({0, 5});
  CHECK(none.raw() != nullptr);
  const Tensor x = full({100}, 3);
  release_cached_memory();
  CHECK(x.to_vector<float>() == std::vector<float>(100, 3));
}

TEST_CASE("more memory than there is") {
  CHECK_THROWS_AS(empty({std::int64_t{1} << 20, std::int64_t{1} << 20, std::int64_t{1} << 15}), Error);
}

TEST_CASE("a storage moves into a larger one and its tensors follow") {
  const Tensor a = full({3}, 1), b = full({5}, 2), view = b.rows(1, 3);
  const Tensor flat = zeros({8});
  a.storage()->move_to(flat.storage(), 0);
  b.storage()->move_to(flat.storage(), 3 * sizeof(float));
  CHECK(flat.to_vector<float>() == std::vector<float>{1, 1, 1, 2, 2, 2, 2, 2});
  flat.fill(7);
  CHECK(a.to_vector<float>() == std::vector<float>{7, 7, 7});
  CHECK(view.to_vector<float>() == std::vector<float>{7, 7});
  view.fill(4);
  CHECK(flat.to_vector<float>() == std::vector<float>{7, 7, 7, 7, 4, 4, 7, 7});
}

TEST_CASE("a moved storage keeps its new home alive, and gives its old one back") {
  const Tensor a = full({1 << 18}, 1);
  const std::size_t before = memory_stats().in_use;
  {
    const Tensor flat = zeros({1 << 19});
    a.storage()->move_to(flat.storage(), mega);
  }
  CHECK(memory_stats().in_use > before);  // 2 MiB of the new home instead of 1
  CHECK(a.to_vector<float>() == std::vector<float>(1 << 18, 1));
  const Tensor other = zeros({1 << 18});
  a.storage()->move_to(other.storage(), 0);  // and on to the next
  CHECK(memory_stats().in_use == before);
  CHECK(other.to_vector<float>() == std::vector<float>(1 << 18, 1));
}

TEST_CASE("moves that cannot be") {
  const Tensor a = full({4}, 1), b = zeros({4}), c = zeros({100});
  CHECK_THROWS_AS(a.storage()->move_to(b.storage(), 4), Error);
  CHECK_THROWS_AS(a.storage()->move_to(b.storage(), ~std::size_t{0}), Error);
  CHECK_THROWS_AS(a.storage()->move_to(a.storage(), 0), Error);
  a.storage()->move_to(b.storage(), 0);
  CHECK_THROWS_AS(b.storage()->move_to(c.storage(), 0), Error);  // a lives there
  CHECK(a.to_vector<float>() == std::vector<float>(4, 1));
}

TEST_CASE("the guard sees writes outside, on freed and on live blocks") {
  const MemoryGuard guard;
  {
    const Tensor x = zeros({3});
    x.data<float>()[2] = 1;
  }
  CHECK(guard.violations().empty());
  {
    const Tensor x = zeros({3});
    x.data<float>()[3] = 1;
  }
  REQUIRE(guard.violations().size() == 1);
  CHECK(guard.violations()[0] == "written behind a block of 12 bytes");
  const Tensor live = zeros({2}, DType::f64);
  std::memset(static_cast<char*>(live.raw()) - 1, 0, 1);
  REQUIRE(guard.violations().size() == 2);
  CHECK(guard.violations()[1] == "written before a block of 16 bytes");
  CHECK_THROWS_AS(MemoryGuard(), Error);
}

TEST_CASE("under the guard, new memory reads as NaN") {
  const MemoryGuard guard;
  for (DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
    const double x = empty({1}, dtype).item();
    CHECK(x != x);
  }
}

TEST_CASE("where there is no memory, the error names who asked and for what") {
  const Tensor column = zeros({1 << 22, 1}), row = zeros({1, 1 << 22});
  CHECK_THROWS_AS(column + row, OutOfMemory);
  CHECK_THROWS_WITH(column + row, Contains("add: (4194304,4194304) f32: out of memory: 70368744177664 bytes"));
  CHECK_THROWS_WITH(matmul(column, row), Contains("matmul: (4194304,4194304) f32: out of memory"));
  CHECK_THROWS_WITH(linear(column, column), Contains("linear: (4194304,4194304) f32: out of memory"));
}
