#pragma once
// The instructions that multiply tiles of bf16 (bf16_tiles.h).

#include <cstdint>

#include "glimpse/kernels/bf16_gemm.h"

namespace glimpse::kernels {

/// What processor and system have.
Bf16Unit best_bf16_unit();
/// Whether the processor is AMD's.
bool made_by_amd();

/// Multiplies tiles on the thread that made it. AMX is set up for as long as it lives.
class MatrixUnit {
 public:
  explicit MatrixUnit(bool amx);
  ~MatrixUnit();
  MatrixUnit(const MatrixUnit&) = delete;
  MatrixUnit& operator=(const MatrixUnit&) = delete;

  /// sums (2,2,16,16), tile by tile: of `deep` tiles along k, for up to 32 rows of A and up to 32 columns of B; second
  /// tiles that hold no row or column are not touched.
  void multiply(std::int64_t deep, const std::uint32_t* a, std::int64_t rows, const std::uint32_t* b,
                std::int64_t columns, float* sums) const;

 private:
  bool amx_;
};

}  // namespace glimpse::kernels
