// The way to run a block under ThreadSanitizer: every thread of the kernel is an operating system thread, and the
// sanitizer is told of the ordering that __syncthreads and __syncwarp promise. Shuffles and votes promise none.

#include <thread>

#include "glimpse/tests/emulator/block.h"
#include "glimpse/tests/emulator/futex.h"

#ifdef GLIMPSE_EMULATOR_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace glimpse::emulator {
namespace {

class ThreadBlock final : public Block {
 public:
  ThreadBlock(const Grid& grid, uint3 index, bool allow_early_exit)
      : Block(grid, index, allow_early_exit), states_(static_cast<std::size_t>(size())) {}

 private:
  struct State {
    int asleep = 0;
    unsigned block_barriers = 0, warp_barriers = 0;  // arrived at so far
    char warp_barrier[2] = {};                       // addresses that stand for this thread's last two __syncwarp
  };

  void run_threads() override {
    std::vector<std::thread> threads;
    threads.reserve(states_.size());
    for (int t = 0; t < size(); ++t)
      threads.emplace_back([this, t] {
        enter_block();
        live(t);
      });
    for (std::thread& thread : threads) thread.join();
  }

  State& state(int thread) { return states_[thread]; }
  void lock() override { lock_.lock(); }
  void unlock() override { lock_.unlock(); }

  void wait(int thread) override {
    for (;;) {
      lock();
      const bool released = !waiting(thread);
      if (!released) state(thread).asleep = 1;
      unlock();
      if (released) return;
      futex_wait(&state(thread).asleep, 1);
    }
  }

  void release(int thread) override { futex_set(&state(thread).asleep, 0); }

  // A thread may be one barrier ahead of another, so the addresses of odd and even barriers differ: what a thread
  // writes after a barrier must not look as if it had come before it. At __syncwarp each lane tells the others which of
  // its two addresses it has used, as a vote.
  void publish([[maybe_unused]] int thread, [[maybe_unused]] Arrival& arrival) override {
#ifdef GLIMPSE_EMULATOR_TSAN
    if (arrival.intrinsic <= Intrinsic::syncthreads_or) {
      __tsan_release(&block_barrier_[++state(thread).block_barriers & 1]);
    } else if (arrival.intrinsic == Intrinsic::syncwarp) {
      arrival.value = ++state(thread).warp_barriers & 1;
      __tsan_release(&state(thread).warp_barrier[arrival.value]);
    }
#endif
  }

  void observe([[maybe_unused]] int thread, [[maybe_unused]] const Arrival& arrival,
               [[maybe_unused]] std::uint64_t odd) override {
#ifdef GLIMPSE_EMULATOR_TSAN
    if (arrival.intrinsic <= Intrinsic::syncthreads_or) {
      __tsan_acquire(&block_barrier_[state(thread).block_barriers & 1]);
    } else if (arrival.intrinsic == Intrinsic::syncwarp) {
      const int first = thread / warpSize * warpSize;
      for (int lane = 0; lane < warpSize && first + lane < size(); ++lane)
        if (arrival.mask >> lane & 1) __tsan_acquire(&state(first + lane).warp_barrier[odd >> lane & 1]);
    }
#endif
  }

  std::vector<State> states_;
  SpinLock lock_;
  [[maybe_unused]] char block_barrier_[2] = {};  // addresses that ThreadSanitizer is told of
};

}  // namespace

std::unique_ptr<Block> make_thread_block(const Grid& grid, uint3 index, bool allow_early_exit) {
  return std::make_unique<ThreadBlock>(grid, index, allow_early_exit);
}

}  // namespace glimpse::emulator
