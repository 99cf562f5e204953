#include "glimpse/tests/emulator/fiber.h"

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// Measured per switch on one core of a server: 3 ns by the assembly below, 240 ns by ucontext, which asks the kernel
// for the signal mask each time. Other processors than x86-64 use ucontext.
#if !defined(__x86_64__) || defined(GLIMPSE_EMULATOR_UCONTEXT)
#include <ucontext.h>
#define GLIMPSE_UCONTEXT 1
#else
#define GLIMPSE_UCONTEXT 0
// void glimpse_change_stack(void** save, void* load): keeps what the calling convention says a call preserves.
asm(R"(
.text
.p2align 4
.type glimpse_change_stack, @function
glimpse_change_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size glimpse_change_stack, .-glimpse_change_stack
.type glimpse_begin_fiber, @function
glimpse_begin_fiber:
  movq %r12, %rdi
  callq *%r13
  ud2
.size glimpse_begin_fiber, .-glimpse_begin_fiber
)");
extern "C" void glimpse_change_stack(void** save, void* load);
extern "C" void glimpse_begin_fiber();
#endif

namespace glimpse::emulator {
namespace {

// AddressSanitizer follows every change of stack.
void before_change([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* stack,
                   [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
#endif
}

void after_change([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** old_stack,
                  [[maybe_unused]] std::size_t* old_bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, old_stack, old_bytes);
#endif
}

/// The fiber that control came from: its stack is learnt when it is left for the first time.
thread_local Fiber* left_behind = nullptr;

}  // namespace

void Fiber::begin(Fiber* self) {
  const void* stack = nullptr;
  std::size_t bytes = 0;
  after_change(nullptr, &stack, &bytes);
  if (left_behind && !left_behind->stack_) {
    left_behind->stack_ = const_cast<void*>(stack);
    left_behind->bytes_ = bytes;
  }
  self->entry_(self->argument_);
}

void Fiber::prepare(void* stack, std::size_t bytes, void (*entry)(void*), void* argument) {
  entry_ = entry;
  argument_ = argument;
  stack_ = stack;
  bytes_ = bytes;
  fake_stack_ = nullptr;
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(stack, bytes);
#endif
#if GLIMPSE_UCONTEXT
  static_assert(sizeof(ucontext_t) <= sizeof(context_));
  auto* context = reinterpret_cast<ucontext_t*>(context_);
  getcontext(context);
  context->uc_stack.ss_sp = stack;
  context->uc_stack.ss_size = bytes;
  context->uc_link = nullptr;
  const auto address = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(this));
  makecontext(context, reinterpret_cast<void (*)()>(begin_split), 2, static_cast<unsigned>(address >> 32),
              static_cast<unsigned>(address));
#else
  // As glimpse_change_stack leaves a stack: r15, r14, r13, r12, rbx, rbp, the address to return to. The calling
  // convention wants the stack aligned to 16 at a call, so 8 less than that at the start of glimpse_begin_fiber's
  // frame.
  auto* top = reinterpret_cast<void**>((reinterpret_cast<std::uintptr_t>(stack) + bytes) & ~std::uintptr_t{15});
  *--top = nullptr;
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&glimpse_begin_fiber);
  *--top = nullptr;                                 // rbp
  *--top = nullptr;                                 // rbx
  *--top = this;                                    // r12
  *--top = reinterpret_cast<void*>(&Fiber::begin);  // r13
  *--top = nullptr;                                 // r14
  *--top = nullptr;                                 // r15
  stack_pointer_ = top;
#endif
}

#if GLIMPSE_UCONTEXT
void Fiber::begin_split(unsigned high, unsigned low) {
  begin(reinterpret_cast<Fiber*>(static_cast<std::uintptr_t>(static_cast<std::uint64_t>(high) << 32 | low)));
}
#endif

void Fiber::change(Fiber& from, Fiber& to, bool last) {
  left_behind = &from;
  before_change(last ? nullptr : &from.fake_stack_, to.stack_, to.bytes_);
#if GLIMPSE_UCONTEXT
  swapcontext(reinterpret_cast<ucontext_t*>(from.context_), reinterpret_cast<ucontext_t*>(to.context_));
#else
  glimpse_change_stack(&from.stack_pointer_, to.stack_pointer_);
#endif
  after_change(from.fake_stack_, nullptr, nullptr);
}

}  // namespace glimpse::emulator
