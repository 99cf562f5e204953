#include "glimpse/kernels/internal/bf16_units.h"

#include <algorithm>

#include "glimpse/kernels/internal/bf16_tiles.h"

#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__)
#include <asm/prctl.h>
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define GLIMPSE_BF16_UNITS
#endif

namespace glimpse::kernels {

#ifdef GLIMPSE_BF16_UNITS
namespace {

using namespace bf16_tiles;

/// The system keeps the registers of AMX only for processes that ask (Linux, Documentation/arch/x86/xstate.rst).
bool may_use_amx() {
  constexpr long request = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, request, tile_data) == 0;
}

Bf16Unit detect() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__builtin_cpu_supports("avx512f") || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return Bf16Unit::none;
  const bool amx = (d >> 22 & 1) != 0 && (d >> 24 & 1) != 0;  // AMX-BF16, AMX-TILE
  if (amx && may_use_amx()) return Bf16Unit::amx;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1) != 0 ? Bf16Unit::avx512 : Bf16Unit::none;
}

struct TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

[[gnu::target("amx-tile")]] void load_shapes() {
  static constexpr TileShapes shapes;
  _tile_loadconfig(&shapes);
}
[[gnu::target("amx-tile")]] void release() { _tile_release(); }

// Registers 0 to 3 hold the sums, 4 and 5 tiles of A, 6 and 7 tiles of B.
template <int Rows, int Columns>
[[gnu::target("amx-tile,amx-bf16")]] void multiply_amx(std::int64_t deep, const std::uint32_t* a,
                                                       const std::uint32_t* b, float* sums) {
  const std::uint32_t *a1 = a + deep * tile, *b1 = b + deep * tile;
  _tile_zero(0);
  if constexpr (Columns > 1) _tile_zero(1);
  if constexpr (Rows > 1) _tile_zero(2);
  if constexpr (Rows > 1 && Columns > 1) _tile_zero(3);
  for (std::int64_t i = 0; i < deep * tile; i += tile) {
    _tile_loadd(4, a + i, 64);
    _tile_loadd(6, b + i, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (Columns > 1) {
      _tile_loadd(7, b1 + i, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (Rows > 1) {
      _tile_loadd(5, a1 + i, 64);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (Rows > 1 && Columns > 1) _tile_dpbf16ps(3, 5, 7);
  }
  constexpr std::int64_t area = side * side;
  _tile_stored(0, sums, 64);
  if constexpr (Columns > 1) _tile_stored(1, sums + area, 64);
  if constexpr (Rows > 1) _tile_stored(2, sums + 2 * area, 64);
  if constexpr (Rows > 1 && Columns > 1) _tile_stored(3, sums + 3 * area, 64);
}

/// `Count` rows of one tile of A from row `first` on, times one or two tiles of B.
template <int Count, int Columns>
[[gnu::target("avx512f,avx512bf16")]] void multiply_rows(std::int64_t deep, const std::uint32_t* a,
                                                         const std::uint32_t* b, std::int64_t first, float* sums) {
  __m512 sum[Count][Columns];
#pragma GCC unroll 16
  for (int i = 0; i < Count; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < Columns; ++j) sum[i][j] = _mm512_setzero_ps();
  for (std::int64_t t = 0; t < deep; ++t)
    for (std::int64_t p = 0; p < pairs; ++p) {
      __m512bh factors[Columns];
#pragma GCC unroll 2
      for (int j = 0; j < Columns; ++j)
        factors[j] = reinterpret_cast<__m512bh>(_mm512_load_si512(b + (j * deep + t) * tile + p * side));
#pragma GCC unroll 16
      for (int i = 0; i < Count; ++i) {
        __m512i x = _mm512_set1_epi32(static_cast<int>(a[t * tile + (first + i) * pairs + p]));
#ifdef __clang__
        asm("" : "+v"(x));  // clang 16 crashes where it knows that all elements are the same
#endif
#pragma GCC unroll 2
        for (int j = 0; j < Columns; ++j)
          sum[i][j] = _mm512_dpbf16_ps(sum[i][j], reinterpret_cast<__m512bh>(x), factors[j]);
      }
    }
#pragma GCC unroll 16
  for (int i = 0; i < Count; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < Columns; ++j) _mm512_store_ps(sums + j * side * side + (first + i) * side, sum[i][j]);
}

template <int Columns>
void multiply_vectors(std::int64_t deep, const std::uint32_t* a, std::int64_t rows, const std::uint32_t* b,
                      float* sums) {
  for (std::int64_t i = 0; i < rows; i += side, a += deep * tile, sums += 2 * side * side)
    for (std::int64_t first = 0; first < std::min(side, rows - i); first += 8)
      multiply_rows<8, Columns>(deep, a, b, first, sums);
}

}  // namespace

Bf16Unit best_bf16_unit() {
  static const Bf16Unit found = detect();
  return found;
}

bool made_by_amd() { return __builtin_cpu_is("amd") != 0; }

MatrixUnit::MatrixUnit(bool amx) : amx_(amx) {
  if (amx_) load_shapes();
}

MatrixUnit::~MatrixUnit() {
  if (amx_) release();
}

void MatrixUnit::multiply(std::int64_t deep, const std::uint32_t* a, std::int64_t rows, const std::uint32_t* b,
                          std::int64_t columns, float* sums) const {
  const bool wide = columns > side, tall = rows > side;
  if (!amx_) return wide ? multiply_vectors<2>(deep, a, rows, b, sums) : multiply_vectors<1>(deep, a, rows, b, sums);
  if (tall) return wide ? multiply_amx<2, 2>(deep, a, b, sums) : multiply_amx<2, 1>(deep, a, b, sums);
  wide ? multiply_amx<1, 2>(deep, a, b, sums) : multiply_amx<1, 1>(deep, a, b, sums);
}

#else

Bf16Unit best_bf16_unit() { return Bf16Unit::none; }
bool made_by_amd() { return false; }
MatrixUnit::MatrixUnit(bool amx) : amx_(amx) {}
MatrixUnit::~MatrixUnit() = default;
void MatrixUnit::multiply(std::int64_t, const std::uint32_t*, std::int64_t, const std::uint32_t*, std::int64_t,
                          float*) const {}

#endif

}  // namespace glimpse::kernels
