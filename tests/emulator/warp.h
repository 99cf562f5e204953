#pragma once
// Barriers, shuffles and votes of an emulated block, as the CUDA C++ Programming Guide defines them for compute
// capability 7 and later. They are found by the kernels under CUDA's own names.

#include <bit>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "glimpse/tests/emulator/block.h"

namespace glimpse::emulator {

using Where = std::source_location;

/// Throw Error naming the current thread.
[[noreturn]] void fail_mask(std::uint32_t mask, const Where& where);
[[noreturn]] void fail_width(int width);

inline int lane_of_current() { return current_thread % warpSize; }

inline std::uint64_t arrive(Intrinsic intrinsic, std::uint32_t mask, std::uint64_t value, int source,
                            const Where& where) {
  if (intrinsic > Intrinsic::syncthreads_or && !(mask >> lane_of_current() & 1)) fail_mask(mask, where);
  return current_block->arrive(current_thread, {intrinsic, mask, value, source, where});
}

template <class T>
concept Shuffled = std::is_trivially_copyable_v<T> && sizeof(T) <= 8;

/// Brings `value` and returns the one that lane `source` brings.
template <Shuffled T>
T shuffle(Intrinsic intrinsic, std::uint32_t mask, T value, int source, const Where& where) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = arrive(intrinsic, mask, bits, source, where);
  std::memcpy(static_cast<void*>(&value), &bits, sizeof(T));
  return value;
}

inline void check_width(int width) {
  if (width < 1 || width > warpSize || !std::has_single_bit(static_cast<unsigned>(width))) fail_width(width);
}

}  // namespace glimpse::emulator

inline void __syncthreads(const std::source_location& where = std::source_location::current()) {
  glimpse::emulator::arrive(glimpse::emulator::Intrinsic::syncthreads, 0, 0, 0, where);
}

inline int __syncthreads_count(int predicate, const std::source_location& where = std::source_location::current()) {
  return static_cast<int>(
      glimpse::emulator::arrive(glimpse::emulator::Intrinsic::syncthreads_count, 0, predicate != 0, 0, where));
}

inline int __syncthreads_and(int predicate, const std::source_location& where = std::source_location::current()) {
  return static_cast<int>(
      glimpse::emulator::arrive(glimpse::emulator::Intrinsic::syncthreads_and, 0, predicate != 0, 0, where));
}

inline int __syncthreads_or(int predicate, const std::source_location& where = std::source_location::current()) {
  return static_cast<int>(
      glimpse::emulator::arrive(glimpse::emulator::Intrinsic::syncthreads_or, 0, predicate != 0, 0, where));
}

inline void __syncwarp(unsigned mask = 0xffffffffu,
                       const std::source_location& where = std::source_location::current()) {
  glimpse::emulator::arrive(glimpse::emulator::Intrinsic::syncwarp, mask, 0, 0, where);
}

/// From lane `source` of the caller's group of `width` lanes, modulo width.
template <glimpse::emulator::Shuffled T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize,
              const std::source_location& where = std::source_location::current()) {
  glimpse::emulator::check_width(width);
  const int lane = glimpse::emulator::lane_of_current();
  return glimpse::emulator::shuffle(glimpse::emulator::Intrinsic::shfl, mask, value,
                                    (lane & ~(width - 1)) | (source & (width - 1)), where);
}

/// From `delta` lanes below; the lowest `delta` lanes of each group keep their own value.
template <glimpse::emulator::Shuffled T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                 const std::source_location& where = std::source_location::current()) {
  glimpse::emulator::check_width(width);
  const int lane = glimpse::emulator::lane_of_current();
  const int source = lane - static_cast<int>(delta & 31u);
  return glimpse::emulator::shuffle(glimpse::emulator::Intrinsic::shfl_up, mask, value,
                                    source < (lane & ~(width - 1)) ? lane : source, where);
}

/// From `delta` lanes above; the highest `delta` lanes of each group keep their own value.
template <glimpse::emulator::Shuffled T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                   const std::source_location& where = std::source_location::current()) {
  glimpse::emulator::check_width(width);
  const int lane = glimpse::emulator::lane_of_current();
  const int source = lane + static_cast<int>(delta & 31u);
  return glimpse::emulator::shuffle(glimpse::emulator::Intrinsic::shfl_down, mask, value,
                                    source > (lane | (width - 1)) ? lane : source, where);
}

/// From lane (own lane xor `lanes`). Lanes of earlier groups can be read, of later groups not: they give the own value.
template <glimpse::emulator::Shuffled T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = warpSize,
                  const std::source_location& where = std::source_location::current()) {
  glimpse::emulator::check_width(width);
  const int lane = glimpse::emulator::lane_of_current();
  const int source = lane ^ (lanes & 31);
  return glimpse::emulator::shuffle(glimpse::emulator::Intrinsic::shfl_xor, mask, value,
                                    source > (lane | (width - 1)) ? lane : source, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              const std::source_location& where = std::source_location::current()) {
  return static_cast<unsigned>(
      glimpse::emulator::arrive(glimpse::emulator::Intrinsic::ballot, mask, predicate != 0, 0, where));
}

inline int __any_sync(unsigned mask, int predicate,
                      const std::source_location& where = std::source_location::current()) {
  return static_cast<int>(glimpse::emulator::arrive(glimpse::emulator::Intrinsic::any, mask, predicate != 0, 0, where));
}

inline int __all_sync(unsigned mask, int predicate,
                      const std::source_location& where = std::source_location::current()) {
  return static_cast<int>(glimpse::emulator::arrive(glimpse::emulator::Intrinsic::all, mask, predicate != 0, 0, where));
}

/// The caller's own lane: CUDA promises no other.
inline unsigned __activemask() { return 1u << glimpse::emulator::lane_of_current(); }
