#include "glimpse/engine/device.h"

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/bf16_gemm.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse {

void use_device(Device device, MatmulPrecision matmul) {
  if (device == Device::cpu) {
    check(matmul != MatmulPrecision::tf32, "matmul tf32 needs the device cuda");
    check(matmul == MatmulPrecision::f32 || kernels::bf16_unit() != kernels::Bf16Unit::none,
          "matmul bf16: this processor has neither AMX-BF16 nor AVX512-BF16; use f32");
    kernels::set_matmul_precision(matmul);
    return;
  }
  if constexpr (cuda_built)
    check(cuda::available(), "device cuda: {}; use the device cpu", cuda::why_unavailable());
  else
    fail("device cuda: this build has no CUDA backend; use the device cpu");
  kernels::set_matmul_precision(matmul);
}

MatmulChoice resolved(MatmulChoice choice, Device device) {
  if (choice != MatmulChoice::automatic) return choice;
  const bool quick = device == Device::cpu && kernels::bf16_is_quicker();
  return quick ? MatmulChoice::bf16 : MatmulChoice::f32;
}

MatmulPrecision precision_of(MatmulChoice choice) {
  check(choice != MatmulChoice::automatic, "matmul auto: not resolved for a device yet");
  return *choice_named<MatmulPrecision>(name_of(choice));
}

ExactProducts::ExactProducts(Device device) : before_(kernels::matmul_precision()) {
  if (device == Device::cpu) kernels::set_matmul_precision(MatmulPrecision::f32);
}

ExactProducts::~ExactProducts() { kernels::set_matmul_precision(before_); }

}  // namespace glimpse
