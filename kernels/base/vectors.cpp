#include "glimpse/kernels/base/vectors.h"

#include <algorithm>
#include <cstdlib>

namespace glimpse::kernels {
namespace {

#ifdef GLIMPSE_VECTOR_VARIANTS
int widest() {
  __builtin_cpu_init();
  const auto has = [](bool first, auto... more) { return (first && ... && more); };
  const bool avx2 = has(__builtin_cpu_supports("avx2"), __builtin_cpu_supports("fma"), __builtin_cpu_supports("bmi"),
                        __builtin_cpu_supports("bmi2"), __builtin_cpu_supports("popcnt"));
  const bool avx512 =
      has(__builtin_cpu_supports("avx512f"), __builtin_cpu_supports("avx512bw"), __builtin_cpu_supports("avx512cd"),
          __builtin_cpu_supports("avx512dq"), __builtin_cpu_supports("avx512vl"));
  return avx2 && avx512 ? 512 : (avx2 ? 256 : baseline_vector_bits);
}
#else
int widest() { return baseline_vector_bits; }
#endif

/// The widest vectors within a limit, which may lie between two widths.
int within(int limit) {
#ifdef GLIMPSE_VECTOR_VARIANTS
  return std::min(widest(), limit >= 512 ? 512 : (limit >= 256 ? 256 : 128));
#else
  return static_cast<void>(limit), widest();
#endif
}

int& bits() {
  static int value = [] {
    const char* limit = std::getenv("GLIMPSE_VECTOR_BITS");
    return limit && *limit ? within(std::atoi(limit)) : widest();
  }();
  return value;
}

}  // namespace

int vector_bits() { return bits(); }

void limit_vector_bits(int limit) { bits() = within(limit); }

}  // namespace glimpse::kernels
