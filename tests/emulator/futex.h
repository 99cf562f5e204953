#pragma once
// Waiting that ThreadSanitizer does not see: it must learn of the ordering that CUDA promises, not of how the emulator
// happens to get there. Linux only, as the sanitizer is; the files that use this are compiled without it.

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace glimpse::emulator {

/// Sleeps while *word == value.
inline void futex_wait(int* word, int value) {
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

/// Sets *word and wakes who sleeps on it.
inline void futex_set(int* word, int value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

class SpinLock {
 public:
  void lock() {
    while (__atomic_exchange_n(&taken_, 1, __ATOMIC_ACQUIRE)) sched_yield();
  }
  void unlock() { __atomic_store_n(&taken_, 0, __ATOMIC_RELEASE); }

 private:
  int taken_ = 0;
};

}  // namespace glimpse::emulator
