#pragma once
// Shared memory of emulated blocks: a place for each SHARED variable and for the dynamic part. Before a block starts
// all of it holds a NaN pattern, and so do the zones between variables, which are checked when the block has ended.

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace glimpse::emulator {

/// Repeated in memory that nobody has written: a NaN as f32, f64, bf16 and f16, and a large positive number as an
/// integer.
inline constexpr std::uint16_t poison = 0x7ffb;

/// One SHARED variable of one kernel. Lives as long as the program.
struct SharedSite {
  const char* name;
  std::int64_t offset = -1;  // in the arena, once it has been used
  std::size_t bytes = 0;
  bool used = false;  // in the running launch
};

/// The variable's memory in the running block.
void* shared_variable(SharedSite& site, std::size_t bytes, std::size_t alignment);
/// The dynamic part, as many bytes as the launch asked for.
void* dynamic_shared_memory();

template <class T>
T& shared_variable(SharedSite& site) {
  static_assert(std::is_trivially_default_constructible_v<std::remove_all_extents_t<T>>,
                "CUDA initialises no shared variable: its type must not ask for it");
  return *static_cast<T*>(shared_variable(site, sizeof(T), alignof(T) < 16 ? 16 : alignof(T)));
}

// For the launch.
/// Throws Error when `dynamic_bytes` are more than a block can have.
void begin_shared_memory(std::size_t dynamic_bytes, const char* kernel);
/// Checks the zones between variables and poisons everything that was used. Throws Error naming the variable whose end
/// or beginning was overwritten, and when all of them together are more than a block can have.
void end_block_of_shared_memory(const char* kernel);
void end_shared_memory() noexcept;

}  // namespace glimpse::emulator

#define SHARED(type, name, ...)                                     \
  static ::glimpse::emulator::SharedSite name##_shared_site{#name}; \
  auto& name = ::glimpse::emulator::shared_variable<type __VA_ARGS__>(name##_shared_site)

#define DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(::glimpse::emulator::dynamic_shared_memory())
