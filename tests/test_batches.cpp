// The order of batches, and the thread that prepares them.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>

#include "catch.h"
#include "glimpse/data/batches.h"
#include "glimpse/data/prefetch.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/base/parallel.h"

using namespace glimpse;

namespace {

using Batches = std::vector<std::vector<CaptionIndex>>;

/// 60 images of 1 to 5 captions, 2 to 19 words.
std::vector<std::vector<std::int32_t>> made_up_lengths() {
  std::vector<std::vector<std::int32_t>> lengths;
  for (int i = 0; i < 60; ++i) {
    std::vector<std::int32_t>& row = lengths.emplace_back();
    for (int c = 0; c < 1 + i % 5; ++c) row.push_back(2 + (i * 31 + c * 17) % 18);
  }
  return lengths;
}

Batches epoch(BatchSampler& sampler, std::int64_t number) {
  Batches batches;
  for (std::int64_t p = 0; p < sampler.batches_per_epoch(); ++p) batches.push_back(sampler.batch({number, p}));
  return batches;
}

}  // namespace

TEST_CASE("an epoch holds every caption once") {
  for (const Grouping grouping : {Grouping::by_length, Grouping::by_image}) {
    BatchSampler sampler(made_up_lengths(), 8, 3, grouping);
    CHECK(sampler.captions() == 180);
    CHECK(sampler.batches_per_epoch() == 23);
    for (const std::int64_t e : {0, 1, 7}) {
      std::set<std::pair<int, int>> seen;
      int partial = 0;
      for (const auto& batch : epoch(sampler, e)) {
        CHECK((batch.size() == 8 || batch.size() == 4));
        partial += batch.size() == 4;
        for (const CaptionIndex& index : batch) {
          CHECK(index.caption < 1 + index.image % 5);
          seen.insert({index.image, index.caption});
        }
      }
      CHECK(partial == 1);
      CHECK(seen.size() == 180);
    }
  }
}

TEST_CASE("the order follows from seed and epoch alone") {
  for (const Grouping grouping : {Grouping::by_length, Grouping::by_image}) {
    BatchSampler a(made_up_lengths(), 8, 3, grouping), b(made_up_lengths(), 8, 3, grouping);
    BatchSampler other(made_up_lengths(), 8, 4, grouping);
    const Batches later = epoch(b, 5);
    CHECK(epoch(a, 0) == epoch(b, 0));
    CHECK(epoch(a, 5) == later);
    CHECK(epoch(a, 0) != epoch(a, 1));
    CHECK(epoch(a, 0) != epoch(other, 0));
  }
}

TEST_CASE("a sampler goes on exactly where another stopped") {
  BatchSampler whole(made_up_lengths(), 16, 11);
  for (int i = 0; i < 30; ++i) {
    const BatchSampler::Batch batch = whole.next();
    CHECK(batch.last == (batch.state.position == whole.batches_per_epoch() - 1));
    BatchSampler resumed(made_up_lengths(), 16, 11);
    resumed.set_state(batch.next);
    BatchSampler copy = whole;
    for (int k = 0; k < 3; ++k) {
      const BatchSampler::Batch expected = copy.next(), received = resumed.next();
      CHECK(received.items == expected.items);
      CHECK(received.next == expected.next);
    }
  }
  CHECK(whole.state().epoch == 30 / whole.batches_per_epoch());
  CHECK_THROWS_AS(whole.set_state({0, whole.batches_per_epoch()}), Error);
  CHECK_THROWS_AS(whole.set_state({-1, 0}), Error);
  CHECK_THROWS_AS(whole.batch({0, -1}), Error);
}

TEST_CASE("captions of a batch are about equally long, or share images") {
  const auto lengths = made_up_lengths();
  const auto spread = [&](double jitter) {
    BatchSampler sampler(lengths, 10, 3, Grouping::by_length, jitter);
    std::int64_t padding = 0;
    for (const auto& batch : epoch(sampler, 0)) {
      std::int32_t longest = 0, sum = 0;
      for (const CaptionIndex& i : batch) {
        const std::int32_t length = lengths[i.image][i.caption];
        longest = std::max(longest, length);
        sum += length;
      }
      padding += longest * std::ssize(batch) - sum;
    }
    return padding;
  };
  CHECK(spread(0) < spread(2));
  CHECK(spread(2) < spread(1000) / 3);

  BatchSampler sampler(lengths, 10, 3, Grouping::by_image);
  std::size_t images = 0;
  for (const auto& batch : epoch(sampler, 0)) {
    std::set<std::int32_t> seen;
    for (const CaptionIndex& index : batch) seen.insert(index.image);
    images += seen.size();
  }
  CHECK(images < 60 + 18);  // an image is cut only where a batch ends
}

TEST_CASE("samplers refuse what makes no sense") {
  CHECK_THROWS_AS(BatchSampler({}, 4, 1), Error);
  CHECK_THROWS_AS(BatchSampler({{}, {}}, 4, 1), Error);
  CHECK_THROWS_AS(BatchSampler({{3}}, 0, 1), Error);
  CHECK_THROWS_AS(BatchSampler({{3}}, 4, 1, Grouping::by_length, -1), Error);
  CHECK_THROWS_AS(image_batches(5, 0), Error);
}

TEST_CASE("lengths and evaluation batches") {
  const CaptionedImage image{"a", "", "train", {{"a", "b", "c"}, {"a"}}};
  CHECK(caption_lengths({&image}) == std::vector<std::vector<std::int32_t>>{{3, 1}});
  CHECK(caption_lengths({&image}, 2) == std::vector<std::vector<std::int32_t>>{{2, 1}});
  CHECK(image_batches(5, 2) == std::vector<std::vector<std::int32_t>>{{0, 1}, {2, 3}, {4}});
  CHECK(image_batches(0, 2).empty());
}

TEST_CASE("prefetch keeps the order and ends") {
  int count = 0;
  Prefetch<int> queue([&]() -> std::optional<int> { return count < 50 ? std::optional(count++) : std::nullopt; }, 3);
  for (int i = 0; i < 50; ++i) CHECK(queue.next() == i);
  CHECK_FALSE(queue.next().has_value());
  CHECK_FALSE(queue.next().has_value());
}

TEST_CASE("prefetch works ahead, but no farther than its depth") {
  std::atomic<int> made{0};
  Prefetch<int> queue([&] { return std::optional(made++); }, 3);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (made < 3 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(made == 3);
  CHECK(queue.next() == 0);
}

TEST_CASE("what a producer throws reaches the consumer after the results before it") {
  int count = 0;
  Prefetch<int> queue([&]() -> std::optional<int> {
    if (count == 2) throw Error("the disk is gone");
    return count++;
  });
  CHECK(queue.next() == 0);
  CHECK(queue.next() == 1);
  CHECK_THROWS_WITH(queue.next(), "the disk is gone");
  CHECK_THROWS_AS(queue.next(), Error);
}

TEST_CASE("a queue that is no longer wanted ends cleanly") {
  for (int i = 0; i < 50; ++i) {
    std::atomic<int> made{0};
    Prefetch<std::vector<int>> queue([&] { return std::optional(std::vector<int>(100, made++)); }, 2);
    if (i % 2 == 0) queue.next();
  }
}

TEST_CASE("waiting is counted, and the producer's loops are serial") {
  std::atomic<int> threads{0};
  Prefetch<int> queue([&] {
    threads = kernels::threads();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return std::optional(1);
  });
  queue.next();
  CHECK(queue.wait_seconds() > 0.01);
  CHECK(queue.wait_seconds() < 5);
  CHECK(threads == 1);
}
