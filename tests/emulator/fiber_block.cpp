// The default way to run a block: every thread is a fiber, and which one goes on at each wait is drawn from a seed.
// With even seeds any warp may be next. With odd ones the warps have an order, and the first that can go on does: it
// runs as far ahead of the others as barriers allow, which is what finds a missing barrier between a read and the next
// write.

#include <sys/mman.h>

#include <utility>

#include "glimpse/kernels/base/check.h"
#include "glimpse/tests/emulator/block.h"
#include "glimpse/tests/emulator/fiber.h"

namespace glimpse::emulator {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t stack_bytes = 256 << 10;
#else
constexpr std::size_t stack_bytes = 64 << 10;
#endif
constexpr std::size_t guard_bytes = 16 << 10;
constexpr int most_threads = 1024;

/// Stacks for the largest block, kept for the next one. Memory is only taken where it is touched; a page that may not
/// be touched lies below each stack.
class Stacks {
 public:
  Stacks() {
    void* memory = mmap(nullptr, stride * most_threads, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(memory != MAP_FAILED, "emulator: no memory for {} stacks of {} bytes", most_threads, stack_bytes);
    memory_ = static_cast<char*>(memory);
    for (std::size_t t = 0; t < most_threads; ++t) mprotect(memory_ + t * stride, guard_bytes, PROT_NONE);
  }
  ~Stacks() { munmap(memory_, stride * most_threads); }
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;

  void* of(int thread) const { return memory_ + static_cast<std::size_t>(thread) * stride + guard_bytes; }

 private:
  static constexpr std::size_t stride = stack_bytes + guard_bytes;
  char* memory_;
};

class FiberBlock final : public Block {
 public:
  FiberBlock(const Grid& grid, uint3 index, bool allow_early_exit, std::uint64_t seed)
      : Block(grid, index, allow_early_exit),
        random_(seed * 2 + 1),
        ordered_(seed % 2 == 1),
        fibers_(static_cast<std::size_t>(size())) {
    random_ ^=
        (index.x + 1) * 0x9e3779b97f4a7c15ull + index.y * 0xbf58476d1ce4e5b9ull + index.z * 0x94d049bb133111ebull;
  }

 private:
  struct Entry {
    FiberBlock* block;
    int thread;
  };

  void run_threads() override {
    static thread_local Stacks stacks;
    std::vector<Entry> entries;
    entries.reserve(fibers_.size());
    ready_.resize((fibers_.size() + warpSize - 1) / warpSize);
    for (std::size_t w = 0; w < ready_.size(); ++w) order_.push_back(w);
    for (std::size_t w = order_.size(); w > 1; --w) std::swap(order_[w - 1], order_[draw() % w]);
    for (int t = 0; t < size(); ++t) {
      entries.push_back({this, t});
      fibers_[t].prepare(stacks.of(t), stack_bytes, enter, &entries.back());
      release(t);
    }
    enter_block();
    Fiber::change(main_, fibers_[next()]);
  }

  static void enter(void* argument) {
    const Entry entry = *static_cast<Entry*>(argument);
    entry.block->live(entry.thread);
    entry.block->end(entry.thread);
  }

  /// Waiting threads were all let go by Block before the last running one ends, so none is forgotten here.
  void end(int thread) {
    Fiber& to = ready_count_ == 0 ? main_ : fibers_[next()];
    Fiber::change(fibers_[thread], to, true);
  }

  void wait(int thread) override {
    const int other = next();
    if (other != thread) Fiber::change(fibers_[thread], fibers_[other]);
    become(thread);
  }

  void release(int thread) override {
    ready_[thread / warpSize].push_back(thread);
    ++ready_count_;
  }

  /// A xorshift generator.
  std::uint64_t draw() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_;
  }

  /// A thread that may go on: any lane of the first warp that has one.
  int next() {
    std::size_t at = ordered_ ? 0 : draw() % order_.size();
    while (ready_[order_[at]].empty()) at = (at + 1) % order_.size();
    std::vector<int>& lanes = ready_[order_[at]];
    std::swap(lanes[draw() % lanes.size()], lanes.back());
    const int thread = lanes.back();
    lanes.pop_back();
    --ready_count_;
    return thread;
  }

  std::uint64_t random_;
  bool ordered_;
  std::vector<Fiber> fibers_;
  Fiber main_;
  std::vector<std::vector<int>> ready_;  // threads that may go on, by warp
  std::size_t ready_count_ = 0;
  std::vector<std::size_t> order_;  // of warps
};

}  // namespace

std::unique_ptr<Block> make_fiber_block(const Grid& grid, uint3 index, bool allow_early_exit, std::uint64_t seed) {
  return std::make_unique<FiberBlock>(grid, index, allow_early_exit, seed);
}

}  // namespace glimpse::emulator
