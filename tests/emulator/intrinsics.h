#pragma once
// Atomics, arithmetic and loads that CUDA offers to kernels, under CUDA's names.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <type_traits>

// The kernels call these without a namespace, as CUDA has them.
using std::isfinite;
using std::isinf;
using std::isnan;
using std::max;
using std::min;

namespace glimpse::emulator {

/// *address = change(*address) in one step; returns what was there before. Relaxed, as CUDA's atomics are.
template <class T, class Change>
T change_atomically(T* address, Change change) {
  std::atomic_ref<T> target(*address);
  T before = target.load(std::memory_order_relaxed);
  while (!target.compare_exchange_weak(before, change(before), std::memory_order_relaxed)) {
  }
  return before;
}

template <class T>
concept AddedAtomically = std::is_same_v<T, int> || std::is_same_v<T, unsigned> ||
    std::is_same_v<T, unsigned long long> || std::is_same_v<T, float> || std::is_same_v<T, double>;
template <class T>
concept ComparedAtomically =
    std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;

inline std::atomic<int> fence{0};

}  // namespace glimpse::emulator

template <glimpse::emulator::AddedAtomically T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return glimpse::emulator::change_atomically(address, [=](T x) { return static_cast<T>(x + value); });
}
template <glimpse::emulator::ComparedAtomically T>
T atomicSub(T* address, std::type_identity_t<T> value) {
  return glimpse::emulator::change_atomically(address, [=](T x) { return static_cast<T>(x - value); });
}
template <glimpse::emulator::ComparedAtomically T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return glimpse::emulator::change_atomically(address, [=](T x) { return std::max(x, value); });
}
template <glimpse::emulator::ComparedAtomically T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  return glimpse::emulator::change_atomically(address, [=](T x) { return std::min(x, value); });
}
template <glimpse::emulator::ComparedAtomically T>
T atomicAnd(T* address, std::type_identity_t<T> value) {
  return glimpse::emulator::change_atomically(address, [=](T x) { return x & value; });
}
template <glimpse::emulator::ComparedAtomically T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  return glimpse::emulator::change_atomically(address, [=](T x) { return x | value; });
}
template <glimpse::emulator::ComparedAtomically T>
T atomicXor(T* address, std::type_identity_t<T> value) {
  return glimpse::emulator::change_atomically(address, [=](T x) { return x ^ value; });
}
template <class T>
requires(glimpse::emulator::ComparedAtomically<T> || std::is_same_v<T, float>) T
    atomicExch(T* address, std::type_identity_t<T> value) {
  return glimpse::emulator::change_atomically(address, [=](T) { return value; });
}
template <glimpse::emulator::ComparedAtomically T>
T atomicCAS(T* address, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
  return glimpse::emulator::change_atomically(address, [=](T x) { return x == compare ? value : x; });
}
/// 0 after `limit`, else one more.
inline unsigned atomicInc(unsigned* address, unsigned limit) {
  return glimpse::emulator::change_atomically(address, [=](unsigned x) { return x >= limit ? 0u : x + 1; });
}

// ThreadSanitizer does not know fences; a read-modify-write of one variable orders at least as much.
inline void __threadfence() { glimpse::emulator::fence.fetch_add(0, std::memory_order_seq_cst); }
inline void __threadfence_block() { __threadfence(); }

/// Cached, streaming and read-once loads and stores are plain ones here.
template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T __ldcs(const T* address) {
  return *address;
}
template <class T>
void __stcs(T* address, std::type_identity_t<T> value) {
  *address = value;
}

inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }

inline void sincospi(double x, double* sine, double* cosine) {
  *sine = std::sin(std::numbers::pi * x);
  *cosine = std::cos(std::numbers::pi * x);
}

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
/// One more than the position of the lowest bit that is set; 0 for 0.
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline unsigned __umulhi(unsigned x, unsigned y) { return static_cast<unsigned>(std::uint64_t{x} * y >> 32); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
