#pragma once
// Work done ahead on a second thread.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace glimpse {

/// Makes parallel loops that the calling thread runs serial: a thread that works beside training must not take its
/// cores.
void make_thread_serial();

/// Calls a producer again and again on a thread of its own and keeps up to `depth` results ready, in order. The
/// producer returns nullopt when there is no more. What it throws is thrown by next(), after the results made before.
/// The destructor waits for the call that is running and drops the rest.
template <class T>
class Prefetch {
 public:
  explicit Prefetch(std::function<std::optional<T>()> produce, std::size_t depth = 2)
      : produce_(std::move(produce)), depth_(depth > 0 ? depth : 1), thread_([this] { run(); }) {}
  ~Prefetch() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  /// The next result, nullopt after the last. Rethrows what the producer threw.
  std::optional<T> next() {
    const auto begin = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !ready_.empty() || done_; });
    wait_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (ready_.empty()) {
      if (error_) std::rethrow_exception(error_);
      return std::nullopt;
    }
    std::optional<T> result(std::move(ready_.front()));
    ready_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return result;
  }

  /// Seconds that next() has waited in all; over the time of a run, the share that data cost it.
  double wait_seconds() const { return wait_seconds_; }

 private:
  void run() {
    make_thread_serial();
    try {
      while (true) {
        {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [this] { return ready_.size() < depth_ || stop_; });
          if (stop_) return;
        }
        std::optional<T> result = produce_();
        if (!result) break;
        {
          const std::lock_guard lock(mutex_);
          ready_.push_back(std::move(*result));
        }
        changed_.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
  }

  std::function<std::optional<T>()> produce_;
  std::size_t depth_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> ready_;
  std::exception_ptr error_;
  bool done_ = false, stop_ = false;
  double wait_seconds_ = 0;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace glimpse
