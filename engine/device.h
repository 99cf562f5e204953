#pragma once
// Choosing where tensors are computed.

#include <array>
#include <cstdint>

#include "glimpse/engine/dtype.h"
#include "glimpse/kernels/base/choice.h"
#include "glimpse/kernels/base/precision.h"

namespace glimpse {

using kernels::MatmulPrecision;

/// Prepares work on `device`, with products of f32 numbers in `matmul` from now on. Throws Error where this build or
/// this machine has no such device, for tf32 on the CPU, and for bf16 on one that has no unit for it.
void use_device(Device device, MatmulPrecision matmul = MatmulPrecision::f32);

/// What is asked for: a precision, or the quickest in which models come out as good.
enum class MatmulChoice : std::uint8_t { automatic, f32, tf32, bf16 };
constexpr auto choices(MatmulChoice) {
  return std::array{Choice{MatmulChoice::automatic, "auto"}, Choice{MatmulChoice::f32, "f32"},
                    Choice{MatmulChoice::tf32, "tf32"}, Choice{MatmulChoice::bf16, "bf16"}};
}

/// `choice`; automatic becomes bf16 on a CPU whose bf16 products are quicker (AMX-BF16; AMD's AVX512-BF16), else f32.
MatmulChoice resolved(MatmulChoice choice, Device device);
/// The precision of a resolved choice. Throws Error for automatic.
MatmulPrecision precision_of(MatmulChoice choice);

/// While it lives, products on the CPU are in f32, so that what is written down does not depend on the processor.
class ExactProducts {
 public:
  explicit ExactProducts(Device device);
  ~ExactProducts();
  ExactProducts(const ExactProducts&) = delete;
  ExactProducts& operator=(const ExactProducts&) = delete;

 private:
  MatmulPrecision before_;
};

}  // namespace glimpse
