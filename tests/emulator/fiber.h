#pragma once
// A second stack in the same operating system thread, and the switch between stacks.

#include <cstddef>

namespace glimpse::emulator {

/// A suspended flow of control. The default-constructed one is whoever switches away by it first.
class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Prepares entry(argument) on the stack [stack, stack + bytes); entry must never return.
  void prepare(void* stack, std::size_t bytes, void (*entry)(void*), void* argument);
  /// Suspends `from`, which must be the running fiber, and continues `to`. `last` says that `from` ends here.
  static void change(Fiber& from, Fiber& to, bool last = false);

 private:
  static void begin(Fiber* self);
#if !defined(__x86_64__) || defined(GLIMPSE_EMULATOR_UCONTEXT)
  static void begin_split(unsigned high, unsigned low);
  alignas(16) unsigned char context_[1024];  // a ucontext_t
#else
  void* stack_pointer_ = nullptr;
#endif
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
  void* stack_ = nullptr;  // as AddressSanitizer wants to know it
  std::size_t bytes_ = 0;
  void* fake_stack_ = nullptr;
};

}  // namespace glimpse::emulator
