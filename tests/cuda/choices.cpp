// Which of several kernels is taken for which size, and how large arrays are cut: results do not show it, but the
// shapes of launches do, which the emulator keeps.
#ifdef GLIMPSE_TEST_EMULATED

#include "cuda_test.h"
#include "glimpse/kernels/attention/attention.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/cuda/internal/index_limit_for_tests.h"
#include "glimpse/kernels/elementwise.h"
#include "glimpse/kernels/functors.h"
#include "glimpse/kernels/layout.h"
#include "glimpse/kernels/pooling.h"
#include "glimpse/kernels/reduce.h"
#include "glimpse/kernels/softmax.h"
#include "glimpse/kernels/topk.h"
#include "glimpse/tests/emulator/emulator.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

/// What `body` launches.
template <class Body>
std::vector<emulator::LaunchShape> launches(Body body) {
  struct Hook {
    explicit Hook(std::vector<emulator::LaunchShape>& seen) {
      emulator::on_launch() = [&seen](const emulator::LaunchShape& shape) { seen.push_back(shape); };
    }
    ~Hook() { emulator::on_launch() = nullptr; }
  };
  std::vector<emulator::LaunchShape> seen;
  const Hook hook(seen);
  body();
  return seen;
}

}  // namespace

TEST_CASE("softmax: short rows a warp each, longer ones a block, in shared memory while they fit") {
  const DeviceArray<float> x(draw<float>(10244, 1)), y(10244), dx(10244);
  const auto forward = [&](std::int64_t n) {
    return launches([&] { softmax_forward(Cuda{}, 1, n, x.data(), y.data()); })[0];
  };
  const auto backward = [&](std::int64_t n) {
    return launches([&] { softmax_backward(Cuda{}, 1, n, x.data(), y.data(), dx.data()); })[0].threads;
  };
  CHECK(forward(1024).threads == 128);  // four rows a block
  CHECK(forward(1028).threads == 256);
  CHECK(forward(1028).shared == 1028 * sizeof(float));
  CHECK(forward(10240).shared == 40 << 10);
  CHECK(forward(10244).shared == 0);
  CHECK(backward(1024) == 128);
  CHECK(backward(1028) == 256);
}

TEST_CASE("sums: short rows a warp each, longer ones a block") {
  const DeviceArray<float> x(draw<float>(16 * 1025, 1)), y(16);
  const auto blocks = [&](std::int64_t n) {
    return launches([&] { reduce_sum(Cuda{}, 16, n, 1, 1, x.data(), y.data()); })[0].blocks;
  };
  CHECK(blocks(1024) == 2);
  CHECK(blocks(1025) == 16);
}

TEST_CASE("adaptive pooling: windows of 32 pixels get a warp, smaller ones a thread") {
  const DeviceArray<float> x(draw<float>(64 * 32, 1)), y(64);
  const auto blocks = [&](std::int64_t pixels) {
    const AdaptivePoolShape shape{64, 1, pixels, 1, 1};
    return launches([&] { adaptive_avg_pool_forward(Cuda{}, shape, x.data(), y.data()); })[0].blocks;
  };
  CHECK(blocks(31) == 1);
  CHECK(blocks(32) == 8);
}

TEST_CASE("top-k: logits stay in shared memory while they fit") {
  const DeviceArray<float> x(draw<float>(10241, 1));
  const DeviceArray<double> value(1);
  const DeviceArray<std::int32_t> word(1);
  const auto shared = [&](std::int64_t v) {
    return launches([&] {
             log_softmax_topk<float>(Cuda{}, {1, v, 1, x.data(), nullptr, 0, value.data(), word.data()});
           })[0]
        .shared;
  };
  CHECK(shared(10240) == 40 << 10);
  CHECK(shared(10241) == 0);
}

TEST_CASE("attention: several queries of an image are read for together, while they fit") {
  // Shared memory of five queries, 4 (6 A + 5 D) bytes, or of one, 4 (2 A + D).
  const auto shared = [](std::int64_t groups, std::int64_t queries, std::int64_t width, std::int64_t channels) {
    std::vector<std::int64_t> firsts(static_cast<std::size_t>(groups), 0);  // the last group has what there is
    firsts.push_back(queries);
    const DeviceArray<std::int64_t> first(firsts);
    const DeviceArray<float> keys(draw<float>(groups * width, 1)), features(draw<float>(groups * channels, 2)),
        score(draw<float>(width, 3)), query(draw<float>(queries * width, 4)), alpha(queries),
        context(queries * channels);
    const AttentionShape s{groups, 1, width, channels, nullptr, first.data(), nullptr, queries};
    const AttentionInputs<float> in{Activation::tanh, keys.data(), features.data(), score.data(), query.data(), width};
    return launches([&] { attention_forward(Cuda{}, s, in, alpha.data(), context.data()); })[0].shared;
  };
  CHECK(shared(2, 2, 8, 1024) == 4 * (2 * 8 + 1024));
  CHECK(shared(2, 3, 8, 1024) == 4 * (6 * 8 + 5 * 1024));
  CHECK(shared(1, 2, 1700, 1032) == 60 << 10);
  CHECK(shared(1, 2, 1704, 1032) == 4 * (2 * 1704 + 1032));
}

TEST_CASE("a transpose goes through tiles, whichever dimension is consecutive") {
  const DeviceArray<float> x(draw<float>(2 * 64 * 64, 1)), y(2 * 64 * 64);
  const auto blocks = [&](const StridedView& view) {
    return launches([&] { permute(Cuda{}, view, x.data(), y.data()); })[0].blocks;
  };
  CHECK(blocks({3, {2, 64, 64}, {64 * 64, 1, 64}}) == 8);
  CHECK(blocks({3, {64, 2, 64}, {1, 64, 128}}) == 8);
}

TEST_CASE("arrays with more elements than indices count are taken in slices") {
  const cuda::ScopedIndexLimit limit(60);
  const std::vector<float> numbers = draw<float>(61, 1);
  const DeviceArray<float> x(numbers), y(61);
  const auto permuted = [&](const StridedView& view) {
    return launches([&] { permute(Cuda{}, view, x.data(), y.data()); }).size();
  };
  CHECK(permuted({2, {6, 10}, {1, 6}}) == 1);
  CHECK(permuted({2, {6, 10}, {0, 6}}) == 1);
  CHECK(permuted({2, {61, 1}, {1, 1}}) == 61);
  CHECK(y.host() == numbers);
  CHECK(permuted({1, {61}, {1}}) == 1);

  const auto added = [&](const Broadcast& shape) {
    return launches([&] { zip(Cuda{}, Add{}, shape, x.data(), x.data(), y.data()); }).size();
  };
  CHECK(added({2, {6, 10}, {10, 1}, {10, 1}}) == 1);
  CHECK(added({2, {61, 1}, {1, 1}, {1, 1}}) == 61);
  for (std::size_t i = 0; i < numbers.size(); ++i) REQUIRE(y.host()[i] == 2 * numbers[i]);
  CHECK(added({1, {61}, {1}, {1}}) == 1);

  const auto copied = [&](std::int64_t rows, std::int64_t width, std::int64_t stride) {
    return launches([&] { copy_rows(Cuda{}, rows, width, stride, x.data(), stride, y.data()); }).size();
  };
  CHECK(copied(4, 15, 15) == 1);
  CHECK(copied(61, 1, 1) == 2);
  CHECK(y.host() == numbers);
  CHECK(copied(1, 60, 61) == 1);
  CHECK_THROWS_AS(copied(1, 61, 61), Error);
}

#endif
