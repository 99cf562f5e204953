#pragma once
// One block of an emulated grid: what its threads wait for, and what they are told. How threads are run (fibers,
// operating system threads) is the business of the classes derived from it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "glimpse/tests/emulator/language.h"

namespace glimpse::emulator {

enum class Intrinsic : std::uint8_t {
  syncthreads,
  syncthreads_count,
  syncthreads_and,
  syncthreads_or,
  syncwarp,
  shfl,
  shfl_up,
  shfl_down,
  shfl_xor,
  ballot,
  any,
  all
};

/// A thread's arrival at a barrier or a warp-level intrinsic.
struct Arrival {
  Intrinsic intrinsic;
  std::uint32_t mask;   // lanes of its warp that take part; not used by barriers of the block
  std::uint64_t value;  // what it brings: the bits of a shuffled value, or a predicate
  int source;           // the lane whose value it asks for, in a shuffle
  std::source_location where;
};

/// A whole launch.
struct Grid {
  std::string name;  // the operation and its sizes, for errors
  dim3 grid, block;
  std::size_t shared;                 // bytes of dynamic shared memory
  void (*call)(const void* context);  // runs the kernel's body in the current thread
  const void* context;
};

/// Unwinds the threads of a block in which another thread failed.
struct Abandoned {};

class Block;

/// The block that the current thread belongs to, and its number there.
inline thread_local Block* current_block = nullptr;
inline thread_local int current_thread = 0;

class Block {
 public:
  Block(const Grid& grid, uint3 index, bool allow_early_exit);
  virtual ~Block() = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  /// Runs all threads to their end. Throws the first error, named by kernel, block and thread.
  void run();
  /// Called by thread `thread` of the kernel; returns when all that must arrive have, with what the intrinsic returns.
  std::uint64_t arrive(int thread, Arrival arrival);
  /// Throws Error naming the kernel, the block and the thread.
  [[noreturn]] void fail_at(int thread, const std::string& what) const;

 protected:
  int size() const { return static_cast<int>(threads_.size()); }
  bool waiting(int thread) const { return threads_[thread].status == Status::waiting; }
  /// The whole life of one thread; called by the derived class in that thread's own context.
  void live(int thread) noexcept;
  /// Sets blockIdx and its kin; called once by each operating system thread that runs threads of this block.
  void enter_block();
  /// Sets threadIdx; called whenever an operating system thread turns to `thread`.
  void become(int thread) {
    current_thread = thread;
    threadIdx = threads_[thread].index;
  }

  /// Runs live() once for every thread, and returns when all have returned.
  virtual void run_threads() = 0;
  /// Suspends the calling thread until release(thread), or returns at once when that was called already.
  virtual void wait(int thread) = 0;
  virtual void release(int thread) = 0;
  /// Guards the state below where threads are parallel.
  virtual void lock() {}
  virtual void unlock() {}
  /// What ThreadSanitizer is told of the ordering that barriers promise, and shuffles do not.
  virtual void publish(int /*thread*/, Arrival&) {}
  virtual void observe(int /*thread*/, const Arrival&, std::uint64_t /*result*/) {}

 private:
  enum class Status : std::uint8_t { running, waiting, exited };
  struct Thread {
    uint3 index{};
    Status status = Status::running;
    Arrival arrival{};
    std::uint64_t result = 0;
  };

  struct Warp {
    std::uint32_t existing = 0, waiting = 0, exited = 0;  // lanes
  };

  Warp& warp_of(int thread) { return warps_[thread / warpSize]; }
  void settle_block(int arrived);
  void settle_warp(int first, const Arrival& arrival);
  void complete_warp(int first, std::uint32_t present, Intrinsic intrinsic);
  void settle_exit(int thread);
  void resume(int thread, std::uint64_t result);
  void check_alive();
  template <class Step>
  void guarded(Step step);
  void abandon(std::exception_ptr error);
  std::string position(int thread) const;
  std::string describe(int thread) const;

  const Grid& grid_;
  uint3 index_;
  bool allow_early_exit_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  int running_;
  int exited_ = 0;
  int at_barrier_ = 0;  // threads waiting for the whole block
  int first_at_barrier_ = 0;
  std::atomic<bool> failed_ = false;
  std::exception_ptr error_;
};

std::unique_ptr<Block> make_fiber_block(const Grid& grid, uint3 index, bool allow_early_exit, std::uint64_t seed);
std::unique_ptr<Block> make_thread_block(const Grid& grid, uint3 index, bool allow_early_exit);

/// Throws Error naming the current thread.
[[noreturn]] void fail_alignment(const void* address, std::size_t bytes);
/// A GPU stops at an access of several bytes at an address that is no multiple of them; so does the emulator.
inline void check_alignment(const void* address, std::size_t bytes) {
  if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0) fail_alignment(address, bytes);
}

}  // namespace glimpse::emulator
