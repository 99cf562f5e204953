#include "glimpse/kernels/convert.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

constexpr std::int64_t grain = 1 << 15;

template <class To, class From>
To convert_one(From x) {
  if constexpr (std::is_same_v<From, To>)
    return x;
  else if constexpr (std::is_arithmetic_v<From> && std::is_arithmetic_v<To>)
    return static_cast<To>(x);
  else if constexpr (std::is_arithmetic_v<From>)
    return To(static_cast<float>(x));
  else if constexpr (std::is_arithmetic_v<To>)
    return static_cast<To>(static_cast<float>(x));
  else
    return To(static_cast<float>(x));
}

}  // namespace

template <class T>
void fill(Cpu, std::int64_t n, T value, T* y) {
  vector_for(n, grain, [&](std::int64_t begin, std::int64_t end) { std::fill(y + begin, y + end, value); });
}

template <class From, class To>
void convert(Cpu, std::int64_t n, const From* x, To* y) {
  vector_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = convert_one<To>(x[i]);
  });
}

void copy_bytes(Cpu, std::int64_t n, const void* x, void* y) {
  vector_for(n, 4 * grain, [&](std::int64_t begin, std::int64_t end) {
    std::memcpy(static_cast<char*>(y) + begin, static_cast<const char*>(x) + begin,
                static_cast<std::size_t>(end - begin));
  });
}

GLIMPSE_CONVERT_KERNELS(Cpu, float)
GLIMPSE_CONVERT_KERNELS(Cpu, double)
GLIMPSE_CONVERT_KERNELS(Cpu, std::int32_t)
GLIMPSE_CONVERT_KERNELS(Cpu, bf16)
GLIMPSE_CONVERT_KERNELS(Cpu, f16)

}  // namespace glimpse::kernels
