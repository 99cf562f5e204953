#include "glimpse/kernels/base/parallel.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "glimpse/kernels/base/processors.h"

#ifdef __linux__
#include <sys/resource.h>
#endif

namespace glimpse::kernels {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a thread that waits keeps its core before it sleeps, which a loop of microseconds takes long to wake from:
/// the pause between two loops of a step of a search. Where other work wants the core, it is given up at once.
constexpr std::chrono::microseconds patience{300}, patience_of_busy{5};
/// How long a core counts as wanted by others after they took it for longer than the system's own work takes.
constexpr std::chrono::milliseconds busy_for{50};
constexpr std::chrono::microseconds turn_of_others{500};

thread_local int chosen_threads = 0;  // 0: not set
thread_local bool inside_part = false;
thread_local Clock::duration slept{};  // of this thread, in all

void pause() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#endif
}

/// Whether other work had the core of this thread since the last call. A helper that wakes up may push aside who woke
/// it, for some microseconds: that does not count.
bool was_displaced() {
#ifdef __linux__
  thread_local long switches = 0;
  thread_local Clock::duration away{};
  rusage usage{};
  if (getrusage(RUSAGE_THREAD, &usage) != 0) return false;
  const auto time = [](const timeval& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  const Clock::duration now_away =
      Clock::now().time_since_epoch() - time(usage.ru_utime) - time(usage.ru_stime) - slept;
  const bool displaced = usage.ru_nivcsw != switches && now_away - away > turn_of_others;
  switches = usage.ru_nivcsw;
  away = now_away;
  return displaced;
#else
  return true;  // not known: be modest
#endif
}

/// Whether `ready` came true before this thread should sleep.
template <class Ready>
bool spin_until(const Ready& ready) {
  thread_local Clock::time_point busy_until{};
  const Clock::time_point start = Clock::now();
  Clock::time_point end = start + patience_of_busy;
  for (bool first = true;; first = false) {
    do {
      for (int i = 0; i < 32; ++i) {
        if (ready()) return true;
        pause();
      }
    } while (Clock::now() < end);
    if (!first) return false;
    if (was_displaced()) busy_until = end + busy_for;
    if (end < busy_until) return false;
    end = start + patience;
  }
}

template <class Ready>
void sleep(std::condition_variable& condition, std::unique_lock<std::mutex>& lock, const Ready& ready) {
  const Clock::time_point start = Clock::now();
  condition.wait(lock, ready);
  slept += Clock::now() - start;
}

using Part = void (*)(const void* context, std::int64_t p);

/// Threads that help whoever runs a loop. Who runs it does not wait for them to wake up, only for parts that one of
/// them has begun: where others need the cores, it does most parts itself.
class Pool {
 public:
  static Pool& instance() {
    static Pool* pool = new Pool;  // never destroyed: its threads sleep until the process ends
    return *pool;
  }

  /// Runs a loop on up to `team` threads, this one included. False, and nothing done, while another thread runs one.
  bool run(std::int64_t team, std::int64_t parts, Part part, const void* context) {
    const std::unique_lock loop(one_loop_, std::try_to_lock);
    if (!loop) return false;
    team_ = std::min(team, parts);
    part_ = part;
    context_ = context;
    share_out(parts);
    add_helpers();
    if (++number_ == 0) ++number_;
    open_.store(number_);
    if (sleeping_.load() > 0) {
      { const std::lock_guard lock(mutex_); }
      wake_.notify_all();
    }
    work(0);
    open_.store(0);  // who comes now finds nothing left to do
    wait_for_helpers();
    return true;
  }

 private:
  /// The parts that one thread begins with; the others take what it leaves.
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  void share_out(std::int64_t parts) {
    if (room_ < team_) {
      shares_ = std::make_unique<Share[]>(static_cast<std::size_t>(team_));
      room_ = team_;
    }
    for (std::int64_t t = 0; t < team_; ++t) {
      shares_[t].next.store(parts * t / team_, std::memory_order_relaxed);
      shares_[t].end = parts * (t + 1) / team_;
    }
  }

  /// As many as the system lets us have: with fewer, a loop takes longer and is right.
  void add_helpers() {
    try {
      for (; helpers_ < team_ - 1; ++helpers_) std::thread([this, self = helpers_ + 1] { help(self); }).detach();
    } catch (const std::system_error&) {
    }
  }

  void work(std::int64_t self) {
    for (std::int64_t t = 0; t < team_; ++t) {
      Share& share = shares_[(self + t) % team_];
      while (share.next.load(std::memory_order_relaxed) < share.end) {
        const std::int64_t p = share.next.fetch_add(1, std::memory_order_relaxed);
        if (p < share.end) part_(context_, p);
      }
    }
  }

  [[noreturn]] void help(std::int64_t self) {
    inside_part = true;
    std::uint32_t last = 0;
    for (;;) {
      last = wait_for_loop(last);
      helping_.fetch_add(1);
      // Counted first: from here on the loop stays as it is, if it is still open.
      if (open_.load() == last && self < team_) work(self);
      if (helping_.fetch_sub(1) == 1 && waiting_.load()) {
        { const std::lock_guard lock(mutex_); }
        done_.notify_one();
      }
    }
  }

  std::uint32_t wait_for_loop(std::uint32_t last) {
    std::uint32_t seen = 0;
    const auto is_new = [&] {
      seen = open_.load();
      return seen != 0 && seen != last;
    };
    if (spin_until(is_new)) return seen;
    std::unique_lock lock(mutex_);
    sleeping_.fetch_add(1);
    sleep(wake_, lock, is_new);
    sleeping_.fetch_sub(1);
    return seen;
  }

  void wait_for_helpers() {
    const auto all_left = [&] { return helping_.load() == 0; };
    if (spin_until(all_left)) return;
    std::unique_lock lock(mutex_);
    waiting_.store(true);
    sleep(done_, lock, all_left);
    waiting_.store(false);
  }

  std::mutex one_loop_;
  // The loop that is open, written while nobody helps.
  std::int64_t team_ = 0;
  Part part_ = nullptr;
  const void* context_ = nullptr;
  std::unique_ptr<Share[]> shares_;
  std::int64_t room_ = 0, helpers_ = 0;
  std::uint32_t number_ = 0;

  alignas(64) std::atomic<std::uint32_t> open_{0};  // the loop's number; 0: none
  alignas(64) std::atomic<std::int64_t> helping_{0};
  std::atomic<std::int64_t> sleeping_{0};
  std::atomic<bool> waiting_{false};
  std::mutex mutex_;  // held to begin sleeping and to wake
  std::condition_variable wake_, done_;
};

}  // namespace

int threads() {
  if (inside_part) return 1;
  return chosen_threads > 0 ? chosen_threads : usable_processors();
}

void set_threads(int count) { chosen_threads = count; }

void run_parts(std::int64_t parts, void (*part)(const void*, std::int64_t), const void* context) {
  const int team = threads();
  if (parts > 1 && team > 1) {
    inside_part = true;
    const bool done = Pool::instance().run(team, parts, part, context);
    inside_part = false;
    if (done) return;
  }
  for (std::int64_t p = 0; p < parts; ++p) part(context, p);
}

void parallel_for_each(std::int64_t count, const std::function<void(std::int64_t)>& work) {
  if (count == 1) return work(0);
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(count));
  parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      try {
        work(i);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace glimpse::kernels
