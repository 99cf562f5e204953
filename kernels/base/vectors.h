#pragma once
// Loops over all cores and all lanes of their vector units. One binary holds a kernel's loops for each width of vectors
// and runs the widest that the processor has. Each `#pragma omp simd` in kernels/ is a promise that the compiler keeps
// for every width: tests/vector_loops.sh reads its report.

#include <cstdint>
#include <type_traits>

#include "glimpse/kernels/base/parallel.h"

// A build that may use AVX-512 everywhere, or that is not for x86-64, needs no variants.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__AVX512F__)
#define GLIMPSE_VECTOR_VARIANTS
#endif

namespace glimpse::kernels {

/// Of a build without variants, or where the processor has no more.
#ifdef __AVX512F__
inline constexpr int baseline_vector_bits = 512;
#else
inline constexpr int baseline_vector_bits = 128;
#endif

/// Bits of the vectors that with_vectors uses: 512 (AVX-512 F, BW, CD, DQ, VL), 256 (AVX2 and FMA) or 128; what
/// processor and system have, at most what GLIMPSE_VECTOR_BITS says. Fixed in a build without variants.
int vector_bits();

/// Makes with_vectors use vectors of at most so many bits, for tests; not while a loop runs.
void limit_vector_bits(int bits);

#ifdef GLIMPSE_VECTOR_VARIANTS
namespace vectors {
// No more than vectors.cpp looks for in the processor.
#define GLIMPSE_AVX2 "avx2,fma,bmi,bmi2,popcnt"
#define GLIMPSE_AVX512 GLIMPSE_AVX2 ",avx512f,avx512bw,avx512cd,avx512dq,avx512vl"

// "flatten" brings all that the body calls into the variant, to be compiled for its vectors.
template <class Body, class... Arguments>
[[gnu::flatten, gnu::noinline, gnu::target(GLIMPSE_AVX2)]] void avx2(const Body& body, Arguments... arguments) {
  body(arguments...);
}
template <class Body, class... Arguments>
[[gnu::flatten, gnu::noinline, gnu::target(GLIMPSE_AVX512)]] void avx512(const Body& body, Arguments... arguments) {
  body(arguments...);
}
}  // namespace vectors
#endif

/// Calls body(arguments...), compiled for the widest vectors. What the body calls must be inline or a template, or it
/// runs as its file was compiled.
template <class Body, class... Arguments>
void with_vectors(const Body& body, Arguments... arguments) {
#ifdef GLIMPSE_VECTOR_VARIANTS
  switch (vector_bits()) {
    case 512:
      return vectors::avx512(body, arguments...);
    case 256:
      return vectors::avx2(body, arguments...);
    default:
      break;
  }
#endif
  body(arguments...);
}

/// As with_vectors, for a body that needs to know the width: body.operator()<bits>(arguments...).
template <class Body, class... Arguments>
void with_vector_bits(const Body& body, Arguments... arguments) {
  const auto of_width = [&]<int Bits>(std::integral_constant<int, Bits>) {
    return [&body](Arguments... a) { body.template operator()<Bits>(a...); };
  };
#ifdef GLIMPSE_VECTOR_VARIANTS
  switch (vector_bits()) {
    case 512:
      return vectors::avx512(of_width(std::integral_constant<int, 512>{}), arguments...);
    case 256:
      return vectors::avx2(of_width(std::integral_constant<int, 256>{}), arguments...);
    default:
      break;
  }
#endif
  of_width(std::integral_constant<int, baseline_vector_bits>{})(arguments...);
}

/// parallel_for with vectors: body(begin, end) on parts of [0, n).
template <class Body>
void vector_for(std::int64_t n, std::int64_t grain, const Body& body) {
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) { with_vectors(body, begin, end); });
}

}  // namespace glimpse::kernels
