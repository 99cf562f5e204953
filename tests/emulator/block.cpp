#include "glimpse/tests/emulator/block.h"

#include <bit>
#include <string_view>

#include "glimpse/kernels/base/check.h"
#include "glimpse/tests/emulator/warp.h"

namespace glimpse::emulator {
namespace {

constexpr const char* names[] = {"__syncthreads",   "__syncthreads_count", "__syncthreads_and", "__syncthreads_or",
                                 "__syncwarp",      "__shfl_sync",         "__shfl_up_sync",    "__shfl_down_sync",
                                 "__shfl_xor_sync", "__ballot_sync",       "__any_sync",        "__all_sync"};

bool is_barrier(Intrinsic i) { return i <= Intrinsic::syncthreads_or; }
bool is_shuffle(Intrinsic i) { return i >= Intrinsic::shfl && i <= Intrinsic::shfl_xor; }

/// What a shuffle returns from a lane that does not take part: CUDA leaves it undefined, so it is something that no
/// test passes with.
constexpr std::uint64_t undefined_value = 0x7ffb7ffb7ffb7ffbull;

bool same_place(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && std::string_view(a.file_name()) == b.file_name();
}

std::string place(const std::source_location& where) {
  const std::string_view file = where.file_name();
  return fmt::format("{}:{}", file.substr(file.find_last_of('/') + 1), where.line());
}

}  // namespace

Block::Block(const Grid& grid, uint3 index, bool allow_early_exit)
    : grid_(grid),
      index_(index),
      allow_early_exit_(allow_early_exit),
      threads_(static_cast<std::size_t>(grid.block.x) * grid.block.y * grid.block.z),
      warps_((threads_.size() + warpSize - 1) / warpSize),
      running_(static_cast<int>(threads_.size())) {
  for (unsigned t = 0; t < threads_.size(); ++t) {
    threads_[t].index = {t % grid.block.x, t / grid.block.x % grid.block.y, t / grid.block.x / grid.block.y};
    warps_[t / warpSize].existing |= 1u << t % warpSize;
  }
}

void Block::run() {
  run_threads();
  if (error_) std::rethrow_exception(error_);
}

void Block::enter_block() {
  current_block = this;
  blockIdx = index_;
  blockDim = grid_.block;
  gridDim = grid_.grid;
}

void Block::live(int thread) noexcept {
  std::exception_ptr error;
  try {
    become(thread);
    if (!failed_) grid_.call(grid_.context);
  } catch (const Abandoned&) {
  } catch (...) {
    error = std::current_exception();
  }
  lock();
  threads_[thread].status = Status::exited;
  warp_of(thread).exited |= 1u << thread % warpSize;
  --running_;
  ++exited_;
  if (error && !failed_) abandon(error);
  guarded([&] { settle_exit(thread); });
  unlock();
}

std::uint64_t Block::arrive(int thread, Arrival arrival) {
  Thread& self = threads_[thread];
  publish(thread, arrival);
  lock();
  if (failed_) {
    unlock();
    throw Abandoned{};
  }
  self.arrival = arrival;
  self.status = Status::waiting;
  if (!is_barrier(arrival.intrinsic)) warp_of(thread).waiting |= 1u << thread % warpSize;
  --running_;
  guarded([&] {
    if (is_barrier(arrival.intrinsic)) {
      if (at_barrier_++ == 0) first_at_barrier_ = thread;
      settle_block(thread);
    } else {
      settle_warp(thread / warpSize * warpSize, arrival);
    }
    check_alive();
  });
  unlock();
  wait(thread);
  if (failed_) throw Abandoned{};
  observe(thread, arrival, self.result);
  return self.result;
}

/// Runs a step that may find the block's threads in a state that CUDA leaves undefined.
template <class Step>
void Block::guarded(Step step) {
  if (failed_) return;
  try {
    step();
  } catch (...) {
    abandon(std::current_exception());
  }
}

void Block::abandon(std::exception_ptr error) {
  failed_ = true;
  error_ = error;
  for (int t = 0; t < size(); ++t)
    if (waiting(t)) resume(t, 0);
}

void Block::resume(int thread, std::uint64_t result) {
  Thread& t = threads_[thread];
  t.status = Status::running;
  t.result = result;
  warp_of(thread).waiting &= ~(1u << thread % warpSize);
  ++running_;
  release(thread);
}

/// Lets the threads at a barrier of the block go once all are there. Compute capability 7 waits for the threads that
/// have not exited; compute-sanitizer reports a barrier that some threads have left by, and so does the emulator by
/// default.
void Block::settle_block(int arrived) {
  const Arrival& first = threads_[first_at_barrier_].arrival;
  const Arrival& last = threads_[arrived].arrival;
  if (last.intrinsic != first.intrinsic || !same_place(last.where, first.where))
    fail_at(first_at_barrier_,
            fmt::format("{}, but thread {} {}", describe(first_at_barrier_), position(arrived), describe(arrived)));
  if (exited_ > 0 && !allow_early_exit_) {
    int gone = 0;
    while (threads_[gone].status != Status::exited) ++gone;
    fail_at(arrived, fmt::format("{}, but thread {} has exited", describe(arrived), position(gone)));
  }
  const int present = size() - exited_;
  if (at_barrier_ < present) return;
  std::uint64_t count = 0;
  for (int t = 0; t < size(); ++t)
    if (waiting(t)) count += threads_[t].arrival.value;
  std::uint64_t result = count;
  if (first.intrinsic == Intrinsic::syncthreads_and) result = count == static_cast<std::uint64_t>(present);
  if (first.intrinsic == Intrinsic::syncthreads_or) result = count != 0;
  at_barrier_ = 0;
  for (int t = 0; t < size(); ++t)
    if (waiting(t)) resume(t, result);
}

/// Lets the lanes of arrival.mask go once all of them have arrived; `first` is the warp's first thread.
void Block::settle_warp(int first, const Arrival& arrival) {
  const Warp& warp = warp_of(first);
  if (const std::uint32_t gone = arrival.mask & warp.exited; gone && !allow_early_exit_) {
    const int lane = std::countr_zero(gone);
    fail_at(first + lane,
            fmt::format("has exited, but {} with mask {:#010x} ({}) names its lane {}",
                        names[static_cast<int>(arrival.intrinsic)], arrival.mask, place(arrival.where), lane));
  }
  const std::uint32_t expected = arrival.mask & warp.existing & ~warp.exited;
  if ((warp.waiting & expected) != expected) return;
  for (int lane = 0; lane < warpSize; ++lane) {
    if (!(expected >> lane & 1)) continue;
    const Arrival& other = threads_[first + lane].arrival;
    // It may come later, from another group of lanes; check_alive() sees when it never does.
    if (other.mask != arrival.mask || other.intrinsic != arrival.intrinsic) return;
  }
  complete_warp(first, expected, arrival.intrinsic);
}

void Block::complete_warp(int first, std::uint32_t present, Intrinsic intrinsic) {
  std::uint32_t votes = 0;
  for (int lane = 0; lane < warpSize; ++lane) {
    if (!(present >> lane & 1)) continue;
    if (threads_[first + lane].arrival.value) votes |= 1u << lane;
  }
  std::uint64_t results[warpSize] = {};
  for (int lane = 0; lane < warpSize; ++lane) {
    if (!(present >> lane & 1)) continue;
    const int source = threads_[first + lane].arrival.source;
    if (is_shuffle(intrinsic))
      results[lane] = present >> source & 1 ? threads_[first + source].arrival.value : undefined_value;
    else if (intrinsic == Intrinsic::any)
      results[lane] = votes != 0;
    else if (intrinsic == Intrinsic::all)
      results[lane] = votes == present;
    else
      results[lane] = votes;
  }
  for (int lane = 0; lane < warpSize; ++lane)
    if (present >> lane & 1) resume(first + lane, results[lane]);
}

/// A thread has exited: whoever waits for it must hear of it.
void Block::settle_exit(int thread) {
  if (at_barrier_ > 0) settle_block(first_at_barrier_);
  const int first = thread / warpSize * warpSize;
  const std::uint32_t bit = 1u << (thread - first);
  for (int t = first; t < first + warpSize && t < size(); ++t) {
    const Arrival& arrival = threads_[t].arrival;
    if (waiting(t) && !is_barrier(arrival.intrinsic) && arrival.mask & bit) settle_warp(first, arrival);
  }
  check_alive();
}

/// Throws when every thread that has not exited waits: nobody is left to let them go.
void Block::check_alive() {
  if (running_ > 0 || exited_ == size()) return;
  int first = -1;
  for (int t = 0; t < size(); ++t) {
    if (!waiting(t)) continue;
    if (first < 0) first = t;
    if (describe(t) != describe(first))
      fail_at(first,
              fmt::format("{}, but thread {} {}: they wait for each other", describe(first), position(t), describe(t)));
  }
  fail_at(first, fmt::format("{}, and nobody comes", describe(first)));
}

std::string Block::position(int thread) const {
  const uint3 t = threads_[thread].index;
  return fmt::format("({},{},{})", t.x, t.y, t.z);
}

std::string Block::describe(int thread) const {
  const Arrival& arrival = threads_[thread].arrival;
  const char* name = names[static_cast<int>(arrival.intrinsic)];
  if (is_barrier(arrival.intrinsic)) return fmt::format("waits at {} ({})", name, place(arrival.where));
  return fmt::format("waits at {} with mask {:#010x} ({})", name, arrival.mask, place(arrival.where));
}

void Block::fail_at(int thread, const std::string& what) const {
  glimpse::fail("{}: block ({},{},{}), thread {} {}", grid_.name, index_.x, index_.y, index_.z, position(thread), what);
}

void fail_mask(std::uint32_t mask, const std::source_location& where) {
  current_block->fail_at(
      current_thread,
      fmt::format("calls a warp-level intrinsic ({}) whose mask {:#010x} does not name it", place(where), mask));
}

void fail_alignment(const void* address, std::size_t bytes) {
  current_block->fail_at(current_thread, fmt::format("reads or writes {} bytes at once at {}, which is misaligned",
                                                     bytes, fmt::ptr(address)));
}

void fail_width(int width) {
  current_block->fail_at(current_thread,
                         fmt::format("shuffles with width {}, which is not a power of two up to 32", width));
}

}  // namespace glimpse::emulator
