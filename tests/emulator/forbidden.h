#pragma once
// Memory around what a kernel may touch. Writes there are found when it is looked at afterwards (shared_memory.cpp,
// runtime.cpp). Under AddressSanitizer reads are found too, and both at once.

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
/// Of functions that look at forbidden memory.
#define GLIMPSE_LOOKS_AT_FORBIDDEN __attribute__((no_sanitize("address")))
#else
#define GLIMPSE_LOOKS_AT_FORBIDDEN
#endif

namespace glimpse::emulator {

/// `memory` at a multiple of 8; the range ends at one too, or where other forbidden memory begins.
inline void forbid([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_poison_memory_region(memory, bytes);
#endif
}

/// `memory` at a multiple of 8.
inline void permit([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(memory, bytes);
#endif
}

}  // namespace glimpse::emulator
