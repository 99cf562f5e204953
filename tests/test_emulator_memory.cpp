// The emulated device's memory: what is kept for its next use and what is found of mistakes with it. And what the
// emulator counts: calls of the runtime.

#include <algorithm>
#include <cmath>
#include <utility>

#include "emulator_test.h"
#include "glimpse/kernels/convert.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/tests/emulator/calls.h"
#include "glimpse/tests/emulator/forbidden.h"
#include "glimpse/tests/emulator/runtime.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;
using emulator::Calls;

namespace {

template <class Body>
Calls calls_of(Body body) {
  const Calls before = emulator::calls();
  body();
  return emulator::calls() - before;
}

using Block = cuda::Scratch<float>;

/// AddressSanitizer, where it is compiled in, would end the program here.
GLIMPSE_LOOKS_AT_FORBIDDEN void write_at(char* at) { *emulator::real(at) = 0; }
char* bytes_of(const Block& block) { return reinterpret_cast<char*>(block.data()); }

/// The device with so much memory, until the end of a scope.
struct WithMemory {
  const std::size_t before;
  explicit WithMemory(std::size_t bytes) : before(std::exchange(emulator::device().memory, bytes)) {}
  ~WithMemory() { emulator::device().memory = before; }
};

}  // namespace

TEST_CASE("a block is kept for the next of its size and stream, without a call of the driver") {
  cuda::release_cached();
  const float* first = nullptr;
  const Calls cold = calls_of([&] { first = Block(1000, nullptr, "a test").data(); });
  CHECK(cold.allocations == 1);
  CHECK(cold.frees == 0);
  const std::uint64_t served = cuda::counters().allocations;
  const Calls warm = calls_of([&] {
    for (int i = 0; i < 3; ++i) {
      const Block again(990, nullptr, "a test");  // about as large
      CHECK(again.data() == first);
      float host[990];
      cuda::copy_to_host(host, again.data(), sizeof host, nullptr);
      CHECK(std::all_of(host, host + 990, [](float x) { return std::isnan(x); }));  // nothing is left of the last use
      fill(Cuda{}, 990, 1.0f, again.data());
    }
  });
  CHECK(warm.allocations + warm.frees == 0);
  CHECK(cuda::counters().allocations == served + 3);
  const auto other_stream = reinterpret_cast<void*>(8);  // the emulator never looks at it
  const Calls elsewhere = calls_of([&] { CHECK(Block(1000, other_stream, "a test").data() != first); });
  CHECK(elsewhere.allocations == 1);
  CHECK(calls_of([&] { Block(1000, other_stream, "a test"); }).allocations == 0);
}

TEST_CASE("blocks that are given out and kept are counted") {
  cuda::release_cached();
  const std::size_t before = cuda::counters().in_use;
  cuda::reset_peak();
  CHECK(cuda::counters().cached == 0);
  {
    const Block block(1024, nullptr, "a test");
    CHECK(cuda::counters().in_use == before + 4096);
    CHECK(cuda::counters().cached == 0);
  }
  CHECK(cuda::counters().in_use == before);
  CHECK(cuda::counters().peak == before + 4096);
  CHECK(cuda::counters().cached == 4096);
  cuda::release_cached();
  CHECK(cuda::counters().cached == 0);
}

TEST_CASE("a write behind what was asked for is found when the block comes back, though the block goes on there") {
  const int known = emulator::overwritten_allocations();
  {
    const Block block(1000, nullptr, "a test");  // of 4096 bytes
    write_at(bytes_of(block) + 4000);
  }
  CHECK(emulator::overwritten_allocations() == known + 1);
  CHECK_THROWS_WITH(Block(1, nullptr, "a test"), Contains("freeing memory"));
  {
    const Block block(1000, nullptr, "a test");
    write_at(bytes_of(block) - 1);
  }
  CHECK(emulator::overwritten_allocations() == known + 2);
  CHECK_THROWS_AS(Block(1, nullptr, "a test"), Error);
}

TEST_CASE("a write into a block that nobody has is found when it is given out again") {
  const int known = emulator::overwritten_allocations();
  char* freed = nullptr;
  {
    const Block block(1000, nullptr, "a test");
    freed = bytes_of(block);
  }
  write_at(freed + 123);
  CHECK_THROWS_WITH(Block(1000, nullptr, "a test"), Contains("reusing memory"));
  CHECK(emulator::overwritten_allocations() == known + 1);
}

TEST_CASE("where memory runs out, what is kept goes back first; then the error names who asked") {
  cuda::release_cached();
  constexpr std::size_t mega = std::size_t{1} << 20;
  const WithMemory little(cuda::counters().in_use + 8 * mega);
  const auto hold = [](std::int64_t megabytes) { return Block(megabytes << 18, nullptr, "a large test"); };
  { const Block small = hold(3), other = hold(4); }
  CHECK(cuda::counters().cached == 7 * mega);
  const Calls large = calls_of([&] { hold(6); });
  CHECK(large.frees == 2);
  CHECK(large.allocations == 2);
  CHECK(cuda::counters().cached == 6 * mega);
  const Block held = hold(4);
  CHECK_THROWS_WITH(hold(5), Contains("CUDA out of memory: 5242880 bytes for a large test; tensors hold 4 MiB") &&
                                 Contains("of 8 MiB are free"));
  CHECK(hold(4).data() != nullptr);  // the next that fits is served
}

TEST_CASE("a stream that ends gives its blocks back") {
  cuda::release_cached();
  const auto other_stream = reinterpret_cast<void*>(8);
  { const Block other(1000, other_stream, "a test"); }
  const Calls end = calls_of([] {
    const cuda::Stream stream;
    const Block one(1000, stream.get(), "a test"), two(2000, stream.get(), "a test");
  });
  CHECK(end.allocations == 2);
  CHECK(end.frees == 2);
  CHECK(cuda::counters().cached == 4096);  // the other's
}

TEST_CASE("a driver that fails once is asked again") {
  cuda::release_cached();
  emulator::fail_next_call(cudaErrorMemoryAllocation);
  CHECK(Block(1000, nullptr, "a test").data() != nullptr);
  emulator::fail_next_call(cudaErrorIllegalAddress);
  CHECK_THROWS_WITH(Block(3000, nullptr, "a test"), Contains("allocating memory"));
}

TEST_CASE("what is kept is bounded when sizes never repeat") {
  cuda::release_cached();
  std::size_t most = 0;
  for (std::int64_t step = 1; step < 100; ++step) {
    const Block block(step * step * 1000, nullptr, "a test");  // up to 40 MB, in ever new sizes
    most = std::max(most, cuda::counters().cached);
  }
  const std::size_t allowed = std::size_t{3} * 40'000'000 / 2 + (std::size_t{64} << 20);
  CHECK(most > allowed / 3);
  CHECK(most <= allowed);
  cuda::release_cached();
}

TEST_CASE("each call of the runtime is counted as what it is") {
  const cuda::Scratch<float> device(8, nullptr, "a test");
  float host[8] = {};
  const Calls copies = calls_of([&] {
    for (int i = 0; i < 2; ++i) cuda::copy_to_device(device.data(), host, sizeof host, nullptr);
    cuda::copy_on_device(device.data(), device.data() + 4, 16, nullptr);
    for (int i = 0; i < 3; ++i) cuda::fill_bytes(device.data(), 0, 16, nullptr);
  });
  CHECK(copies.copies_up == 2);
  CHECK(copies.bytes_up == 64);
  CHECK(copies.copies_on_device == 1);
  CHECK(copies.fills == 3);
  CHECK(copies.waits == 0);
  const Calls down = calls_of([&] { cuda::copy_to_host(host, device.data(), sizeof host, nullptr); });
  CHECK(down.copies_down == 1);
  CHECK(down.waits == 1);
  CHECK(down.copies_up + down.copies_on_device + down.launches + down.allocations == 0);
  const Calls work = calls_of([&] {
    for (int i = 0; i < 4; ++i) fill(Cuda{}, 8, 1.0f, device.data());
    gemm(Cuda{}, 2, 2, 1, 1.0f, Operand<float>{device.data(), 1}, Operand<float>{device.data(), 2}, 0.0f,
         device.data() + 4, 2);
  });
  CHECK(work.launches == 4);
  CHECK(work.products == 1);
  cuda::release_cached();
  const Calls memory = calls_of([] {
    { const cuda::Scratch<float> one(5000, nullptr, "a test"); }
    cuda::release_cached();
  });
  CHECK(memory.allocations == 1);
  CHECK(memory.frees == 1);
  CHECK(memory.waits == 1);
  CHECK(calls_of([] { cuda::synchronize(nullptr); }).waits == 1);
}
